// GraphQL over HTTP for queries and mutations, graphql-transport-ws for subscriptions.
import { createGraphiQLFetcher } from "@graphiql/toolkit";
import { createClient } from "graphql-ws";
import { TokenError } from "./session.js";

const FORBIDDEN = 4403;

/** `onRefusal` hears of what went wrong with the token: a `TokenError`, or null once it works. */
export function createTransport(endpoint, session, onRefusal) {
  const url = new URL(endpoint, location.href);
  const socketUrl = new URL(url);
  socketUrl.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  let sockets = null;

  async function send(input, init) {
    const headers = new Headers(await session.headers());
    headers.set("accept", "application/graphql-response+json, application/json;q=0.9");
    new Headers(init.headers).forEach((value, name) => headers.set(name, value));
    return fetch(input, { ...init, headers });
  }

  async function sendRenewing(input, init) {
    try {
      let answer = await send(input, init);
      if (answer.status === 401 && session.renewable) {
        session.forgetToken();
        answer = await send(input, init);
      }
      onRefusal(answer.status === 401 && (await session.token()) ? new TokenError(401) : null);
      return answer;
    } catch (error) {
      if (error instanceof TokenError) onRefusal(error);
      throw error;
    }
  }

  const open = () =>
    createClient({
      url: socketUrl.href,
      // A socket sends no headers of ours, so its first message carries them.
      connectionParams: () => session.headers(),
      on: { closed: ({ code }) => code === FORBIDDEN && session.forgetToken() },
    });

  return {
    /** A fetcher of its own identity each time: GraphiQL reads the schema anew with it. */
    fetcher: () =>
      createGraphiQLFetcher({
        url: url.href,
        fetch: sendRenewing,
        enableIncrementalDelivery: false,
        wsClient: { subscribe: (...args) => (sockets ??= open()).subscribe(...args) },
      }),
    /** Ends the subscriptions running under the former settings. */
    hangUp() {
      sockets?.dispose();
      sockets = null;
    },
  };
}
