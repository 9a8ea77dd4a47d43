// What every script here shares: settings from the environment, named checks, one summary.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';

export function setting(name, fallback) {
  const value = process.env[name] || fallback;
  if (value === undefined) {
    console.error(`${name} is not set`);
    process.exit(2);
  }
  return value;
}

/** JSON from the environment; each `$UUID` in it becomes a fresh one. */
export function variables(name) {
  return JSON.parse(setting(name, '{}').replaceAll('$UUID', () => randomUUID()));
}

export const baseUrl = () => setting('CW_URL').replace(/\/+$/, '');
export const endpoint = () => `${baseUrl()}/graphql`;

export class Suite {
  #name;
  #passed = 0;
  #failures = [];

  constructor(name) {
    this.#name = name;
  }

  pass(title) {
    this.#passed += 1;
    console.log(`ok    ${title}`);
  }

  fail(title, reason) {
    this.#failures.push({ title, reason });
    console.log(`FAIL  ${title}\n      ${reason.replaceAll('\n', '\n      ')}`);
  }

  async check(title, body) {
    try {
      await body();
      this.pass(title);
    } catch (error) {
      this.fail(title, String(error?.message ?? error));
    }
  }

  /** Prints the summary as the last line; a suite that checked nothing has failed. */
  finish(extra = {}) {
    const passed = this.#passed;
    const failed = this.#failures.length;
    console.log(JSON.stringify({ suite: this.#name, passed, total: passed + failed, ...extra, failures: this.#failures }));
    process.exit(failed === 0 && passed > 0 ? 0 : 1);
  }
}

/** Fails unless every root field of `data` holds something and no payload carries userErrors. */
export function assertAnswered(data) {
  const fields = Object.entries(data ?? {}).filter(([name]) => name !== '__typename');
  assert.ok(fields.length > 0, 'no data in the answer');
  for (const [name, value] of fields) {
    assert.ok(value !== null && value !== undefined, `${name} is null`);
    const refused = value.userErrors ?? [];
    assert.deepEqual(refused, [], `${name} refused: ${JSON.stringify(refused)}`);
  }
}
