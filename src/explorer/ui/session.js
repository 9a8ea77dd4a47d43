// Who asks, for what purpose and in which language; read anew by every request.
const RENEW_AT = 0.8;

export class Session {
  persona = "";
  ownToken = "";
  purpose = "";
  language = "en";
  #grant = null;

  /** Takes the changed settings; a token belongs to one persona. */
  set(settings) {
    if (settings.persona !== this.persona) this.forgetToken();
    Object.assign(this, settings);
  }

  forgetToken() {
    this.#grant = null;
  }

  get renewable() {
    return this.persona !== "";
  }

  /** The access token to send, a fresh one where the last is about to expire; "" where there is none. */
  async token() {
    if (!this.renewable) return this.ownToken;
    const grant = this.#grant;
    const last = await grant;
    // The persona changed, or another request renewed the token, in the meantime.
    if (grant !== this.#grant) return this.token();
    if (last && Date.now() < last.renewAt) return last.accessToken;
    const next = issue(this.persona);
    this.#grant = next;
    // A failed issue must not be remembered as the grant.
    next.catch(() => this.#grant === next && this.forgetToken());
    return (await next).accessToken;
  }

  async headers() {
    const token = await this.token();
    return {
      ...(token && { authorization: `Bearer ${token}` }),
      ...(this.purpose && { "x-purpose": this.purpose }),
      "accept-language": this.language === "zh" ? "zh-CN" : "en",
    };
  }
}

async function issue(persona) {
  const answer = await fetch("explorer/token", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ persona }),
  });
  if (!answer.ok) throw new TokenError(answer.status);
  const { accessToken, expiresIn } = await answer.json();
  return { accessToken, renewAt: Date.now() + expiresIn * 1000 * RENEW_AT };
}

export class TokenError extends Error {
  constructor(status) {
    super(`no token: ${status}`);
    this.status = status;
    // GraphiQL would print it into the response.
    this.stack = undefined;
  }
}
