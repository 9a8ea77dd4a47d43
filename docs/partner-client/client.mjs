// A partner's machine in one file, with nothing but Node (20 or newer):
//   signed assertion → token bound to a key (DPoP) → trusted document → all pages, a new token when the old one ends.
//
//   node client.mjs --url http://127.0.0.1:8080 --client 01930000-0000-7000-8000-001400000001 \
//     --key data/keys/demo-partner.pem --kid demo-partner --purpose health-care
//
// It prints one line of JSON for each child. `--manifest` prints the manifest for `child-welfare documents load`.
import { createHash, createPrivateKey, generateKeyPairSync, randomUUID, sign } from "node:crypto";
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";

const DOCUMENT = `query Children($after: String) {
  children(first: 20, after: $after) {
    nodes { id fileNumber bodyState }
    pageInfo { hasNextPage endCursor }
  }
}`;
const sha256 = (text) => createHash("sha256").update(text);
const DOCUMENT_ID = `sha256:${sha256(DOCUMENT).digest("hex")}`;

const { values: option } = parseArgs({
  options: {
    url: { type: "string" },
    client: { type: "string" },
    key: { type: "string" },
    kid: { type: "string" },
    purpose: { type: "string" },
    scope: { type: "string", default: "read" },
    divisions: { type: "string" },
    manifest: { type: "boolean", default: false },
  },
});
if (option.manifest) {
  const id = DOCUMENT_ID.slice("sha256:".length);
  const operations = [{ id, name: "Children", type: "query", body: DOCUMENT }];
  console.log(JSON.stringify({ format: "apollo-persisted-query-manifest", version: 1, operations }));
  process.exit(0);
}

const TOKEN_URL = `${option.url}/oauth/token`;
const API_URL = `${option.url}/graphql`;
const now = () => Math.floor(Date.now() / 1000);
const sleep = (seconds) => new Promise((wake) => setTimeout(wake, seconds * 1000));
const part = (object) => Buffer.from(JSON.stringify(object)).toString("base64url");

function jws(header, claims, key) {
  const message = `${part(header)}.${part(claims)}`;
  return `${message}.${sign("sha256", Buffer.from(message), { key, dsaEncoding: "ieee-p1363" }).toString("base64url")}`;
}

// The client's own key signs it in; its public half was registered. One assertion serves once.
const clientKey = createPrivateKey(readFileSync(option.key));
function assertion() {
  const claims = { iss: option.client, sub: option.client, aud: TOKEN_URL, jti: randomUUID(), iat: now(), exp: now() + 120 };
  return jws({ alg: "ES256", typ: "JWT", kid: option.kid }, claims, clientKey);
}

// A key for this run alone: a token that leaks is of no use without it.
const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
const { kty, crv, x, y } = pair.publicKey.export({ format: "jwk" });
function proof(method, url, token) {
  const claims = { jti: randomUUID(), htm: method, htu: url, iat: now() };
  if (token) claims.ath = sha256(token).digest("base64url");
  return jws({ alg: "ES256", typ: "dpop+jwt", jwk: { kty, crv, x, y } }, claims, pair.privateKey);
}

let token;
async function fetchToken() {
  for (;;) {
    const form = new URLSearchParams({
      grant_type: "client_credentials",
      client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
      client_assertion: assertion(),
      purpose: option.purpose,
      scope: option.scope,
    });
    if (option.divisions) form.set("divisions", option.divisions);
    const answer = await fetch(TOKEN_URL, { method: "POST", body: form, headers: { dpop: proof("POST", TOKEN_URL) } });
    if (answer.status === 429 || answer.status === 503) {
      await sleep(Number(answer.headers.get("retry-after") ?? 1));
      continue;
    }
    const body = await answer.json();
    if (!answer.ok) throw new Error(`no token: ${body.error}: ${body.error_description}`);
    // A new one in good time before the old one ends.
    token = { value: body.access_token, until: now() + Math.max(body.expires_in - 30, 1) };
    return;
  }
}

async function run(variables) {
  for (let refused = 0; ; ) {
    if (!token || now() >= token.until) await fetchToken();
    const answer = await fetch(API_URL, {
      method: "POST",
      headers: {
        authorization: `DPoP ${token.value}`,
        dpop: proof("POST", API_URL, token.value),
        "content-type": "application/json",
        accept: "application/graphql-response+json",
        "accept-language": "en",
      },
      body: JSON.stringify({ documentId: DOCUMENT_ID, variables }),
    });
    if (answer.status === 401 && refused++ === 0) {
      token = undefined;
      continue;
    }
    if (answer.status === 429 || answer.status === 503) {
      await sleep(Number(answer.headers.get("retry-after") ?? 1));
      continue;
    }
    const body = await answer.json();
    if (!body.data) throw new Error(`${answer.status}: ${JSON.stringify(body.errors)}`);
    // Errors of single fields stand beside the data: a field you may not see is null.
    for (const error of body.errors ?? []) console.error(`${error.path?.join(".")}: ${error.message}`);
    return body.data;
  }
}

let after = null;
do {
  const { children } = await run({ after });
  for (const child of children.nodes) console.log(JSON.stringify(child));
  after = children.pageInfo.hasNextPage ? children.pageInfo.endCursor : null;
} while (after);
