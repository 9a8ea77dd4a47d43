// An OpenID provider of other people's making (npm oidc-provider), with one client and a login page that takes any name.
import { createServer } from "node:http";
import { generateKeyPairSync } from "node:crypto";
import Provider from "oidc-provider";

const port = Number(process.env.CW_OIDC_PORT);
const issuer = `http://127.0.0.1:${port}`;
const jwk = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ format: "jwk" });

const provider = new Provider(issuer, {
  clients: [
    {
      client_id: "child-welfare",
      client_secret: process.env.CW_OIDC_SECRET,
      redirect_uris: [process.env.CW_OIDC_REDIRECT],
      id_token_signed_response_alg: "ES256",
      grant_types: ["authorization_code"],
      response_types: ["code"],
    },
  ],
  jwks: { keys: [{ ...jwk, alg: "ES256", use: "sig", kid: "one" }] },
  enabledJWA: { idTokenSigningAlgValues: ["ES256"] },
  pkce: { required: () => true },
  claims: { openid: ["sub", "acr", "amr"] },
  conformIdTokenClaims: false,
  cookies: { keys: ["a key of the test alone"], long: { secure: false }, short: { secure: false } },
  features: { devInteractions: { enabled: false } },
  interactions: { url: (_, interaction) => `/login/${interaction.uid}` },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  // Nobody is asked for consent.
  loadExistingGrant: async (ctx) => {
    const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
    grant.addOIDCScope("openid");
    await grant.save();
    return grant;
  },
});
provider.on("server_error", (_, error) => console.error(error));

const handle = provider.callback();
createServer(async (request, response) => {
  if (!request.url.startsWith("/login/")) return handle(request, response);
  try {
    if (request.method === "GET") {
      response.setHeader("content-type", "text/html");
      return response.end('<form method="post"><input name="login"><input name="amr"></form>');
    }
    let body = "";
    for await (const chunk of request) body += chunk;
    const form = new URLSearchParams(body);
    const login = { accountId: form.get("login"), amr: form.get("amr").split(" ") };
    await provider.interactionFinished(request, response, { login }, { mergeWithLastSubmission: false });
  } catch (error) {
    console.error(error);
    response.statusCode = 500;
    response.end();
  }
}).listen(port, "127.0.0.1", () => console.log("listening"));
