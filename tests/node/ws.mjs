// graphql-transport-ws, message by message, then through the graphql-ws client.
import assert from 'node:assert/strict';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { endpoint, setting, Suite, variables } from './suite.mjs';

const PROTOCOL = 'graphql-transport-ws';
const url = endpoint().replace(/^http/, 'ws');
const token = setting('CW_TOKEN');
const query = setting('CW_QUERY', '{ __typename }');
const queryVariables = variables('CW_QUERY_VARIABLES');
const subscription = setting('CW_SUBSCRIPTION');
const subscriptionVariables = variables('CW_SUBSCRIPTION_VARIABLES');
// A mutation that makes the subscription emit; without one it must emit by itself.
const trigger = process.env.CW_TRIGGER;
const initTimeout = Number(setting('CW_INIT_TIMEOUT_MS', '10000'));
const QUIET = 400;
const PATIENCE = 10_000;

const suite = new Suite('ws');
const credentials = { Authorization: `Bearer ${token}` };
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

/** A raw socket whose messages and close code are read in order. */
class Raw {
  #queue = [];
  #wake = () => {};
  constructor(protocols = PROTOCOL) {
    this.socket = new WebSocket(url, protocols);
    this.opened = new Promise((resolve, reject) => {
      this.socket.once('open', resolve);
      this.socket.once('error', reject);
    });
    this.opened.catch(() => {});
    this.socket.on('error', () => {});
    this.socket.on('message', (data) => this.#push({ message: JSON.parse(String(data)) }));
    this.socket.on('close', (code, reason) => this.#push({ closed: code, reason: String(reason) }));
  }
  #push(event) {
    this.#queue.push(event);
    this.#wake();
  }
  async event(patience = PATIENCE) {
    const end = Date.now() + patience;
    while (this.#queue.length === 0) {
      const left = end - Date.now();
      if (left <= 0) return undefined;
      await Promise.race([new Promise((wake) => (this.#wake = wake)), pause(left)]);
    }
    return this.#queue.shift();
  }
  send(message) {
    this.socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }
  /** The next message of this type; server pings in between are allowed. */
  async expect(type, id) {
    for (;;) {
      const event = await this.event();
      assert.ok(event, `waited in vain for ${type}`);
      if (event.message?.type === 'ping' && type !== 'ping') continue;
      assert.ok(event.message, `wanted ${type}, closed ${event.closed} ${event.reason}`);
      assert.equal(event.message.type, type, `wanted ${type}, got ${JSON.stringify(event.message)}`);
      if (id !== undefined) assert.equal(event.message.id, id);
      return event.message;
    }
  }
  async expectClose(code, patience = PATIENCE) {
    const end = Date.now() + patience;
    for (;;) {
      const event = await this.event(Math.max(0, end - Date.now()));
      assert.ok(event, `still open, wanted close ${code}`);
      if (event.closed !== undefined) {
        assert.equal(event.closed, code, `closed ${event.closed} "${event.reason}", wanted ${code}`);
        return;
      }
    }
  }
  /** No message but pings, and no close. */
  async expectQuiet(ms = QUIET) {
    const end = Date.now() + ms;
    for (let event = await this.event(ms); event; event = await this.event(Math.max(0, end - Date.now()))) {
      assert.ok(event.message?.type === 'ping', `wanted silence, got ${JSON.stringify(event)}`);
    }
  }
}

const check = (title, body, protocols) =>
  suite.check(title, async () => {
    const raw = new Raw(protocols);
    try {
      await body(raw);
    } finally {
      raw.socket.terminate();
    }
  });

/** A check on an open socket. */
const opened = (title, body) => check(title, async (raw) => (await raw.opened, body(raw)));

/** A check on a socket that has been acknowledged. */
const acknowledged = (title, body) =>
  opened(title, async (raw) => {
    raw.send({ type: 'connection_init', payload: credentials });
    await raw.expect('connection_ack');
    await body(raw);
  });

const subscribe = (id, text, vars) => ({ id, type: 'subscribe', payload: { query: text, variables: vars } });
const asQuery = (id) => subscribe(id, query, queryVariables);
const asSubscription = (id) => subscribe(id, subscription, subscriptionVariables);

async function emit() {
  if (!trigger) return;
  const response = await fetch(endpoint(), {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json', authorization: credentials.Authorization },
    body: JSON.stringify({ query: trigger, variables: variables('CW_TRIGGER_VARIABLES') }),
  });
  const { errors } = await response.json();
  assert.equal(errors, undefined, `the trigger failed: ${JSON.stringify(errors)}`);
}

const answered = (result) => {
  assert.equal(result.errors, undefined, JSON.stringify(result.errors));
  assert.ok(result.data, 'no data');
};

await opened('the subprotocol is echoed', async (raw) => assert.equal(raw.socket.protocol, PROTOCOL));
for (const [title, protocols] of [['another subprotocol', 'graphql-ws'], ['no subprotocol', []]]) {
  await check(`${title} is refused in the handshake or closes 4406`, async (raw) => {
    const refused = await raw.opened.then(() => false, () => true);
    if (!refused) await raw.expectClose(4406);
  }, protocols);
}
await check('the subprotocol is chosen among several', async (raw) => {
  await raw.opened;
  assert.equal(raw.socket.protocol, PROTOCOL);
}, ['graphql-ws', PROTOCOL]);

await opened('connection_init is acknowledged', async (raw) => {
  raw.send({ type: 'connection_init', payload: credentials });
  await raw.expect('connection_ack');
  await raw.expectQuiet();
});
await opened('an unknown token closes 4403', async (raw) => {
  raw.send({ type: 'connection_init', payload: { Authorization: 'Bearer not-a-token' } });
  await raw.expectClose(4403);
});
await opened('no token closes 4403', async (raw) => {
  raw.send({ type: 'connection_init' });
  await raw.expectClose(4403);
});
await opened('subscribe before connection_init closes 4401', async (raw) => {
  raw.send(asQuery('1'));
  await raw.expectClose(4401);
});
await acknowledged('a second connection_init closes 4429', async (raw) => {
  raw.send({ type: 'connection_init', payload: credentials });
  await raw.expectClose(4429);
});
await opened('two connection_init in one breath close 4429', async (raw) => {
  raw.send({ type: 'connection_init', payload: credentials });
  raw.send({ type: 'connection_init', payload: credentials });
  await raw.expectClose(4429);
});
await opened(`silence closes 4408 within ${initTimeout} ms`, (raw) => raw.expectClose(4408, initTimeout + 2000));

for (const [title, message] of [
  ['text that is not JSON', 'hello'],
  ['JSON that is not an object', '[]'],
  ['a message without a type', {}],
  ['an unknown type', { type: 'start', id: '1' }],
  ['subscribe without an id', { type: 'subscribe', payload: { query } }],
  ['subscribe with an empty id', subscribe('', query)],
  ['subscribe with a numeric id', subscribe(1, query)],
  ['subscribe without a payload', { type: 'subscribe', id: '1' }],
  ['subscribe without a query', { type: 'subscribe', id: '1', payload: {} }],
  ['subscribe with variables that are no object', subscribe('1', query, 'x')],
  ['complete without an id', { type: 'complete' }],
]) {
  await acknowledged(`${title} closes 4400`, async (raw) => {
    raw.send(message);
    await raw.expectClose(4400);
  });
}

await opened('ping is answered before connection_init', async (raw) => {
  raw.send({ type: 'ping' });
  await raw.expect('pong');
});
await acknowledged('ping with a payload is answered', async (raw) => {
  raw.send({ type: 'ping', payload: { at: 1 } });
  await raw.expect('pong');
});
await acknowledged('an unasked pong is ignored', async (raw) => {
  raw.send({ type: 'pong' });
  await raw.expectQuiet();
});
await acknowledged('complete for an unknown id is ignored', async (raw) => {
  raw.send({ type: 'complete', id: 'unknown' });
  await raw.expectQuiet();
});

await acknowledged('a query answers next, then complete', async (raw) => {
  raw.send(asQuery('q'));
  answered((await raw.expect('next', 'q')).payload);
  await raw.expect('complete', 'q');
  await raw.expectQuiet();
});
await acknowledged('an id is free again after complete', async (raw) => {
  for (let turn = 0; turn < 2; turn += 1) {
    raw.send(asQuery('q'));
    await raw.expect('next', 'q');
    await raw.expect('complete', 'q');
  }
});
for (const [title, text] of [['a syntax error', '{'], ['an unknown field', '{ noSuchFieldAnywhere }']]) {
  await acknowledged(`${title} answers error and nothing after it`, async (raw) => {
    raw.send(subscribe('bad', text));
    const { payload } = await raw.expect('error', 'bad');
    assert.ok(Array.isArray(payload) && payload.length > 0 && payload.every((one) => typeof one.message === 'string'), `payload ${JSON.stringify(payload)}`);
    await raw.expectQuiet();
    raw.send(asQuery('good'));
    await raw.expect('next', 'good');
  });
}

await acknowledged('a subscription emits', async (raw) => {
  raw.send(asSubscription('s'));
  await raw.expectQuiet(trigger ? QUIET : 0);
  await emit();
  answered((await raw.expect('next', 's')).payload);
});
await acknowledged('a query is answered beside a running subscription', async (raw) => {
  raw.send(asSubscription('s'));
  raw.send(asQuery('q'));
  for (let seen = []; !(seen.includes('next') && seen.includes('complete')); ) {
    const event = await raw.event();
    assert.ok(event?.message, `waited in vain for the query: ${JSON.stringify(event)}`);
    if (event.message.id === 'q') seen.push(event.message.type);
  }
});
await acknowledged('the id of a running operation closes 4409', async (raw) => {
  raw.send(asSubscription('s'));
  raw.send(asSubscription('s'));
  await raw.expectClose(4409);
});
await acknowledged('complete stops a subscription and frees its id', async (raw) => {
  raw.send(asSubscription('s'));
  await raw.expectQuiet(trigger ? QUIET : 0);
  await emit();
  await raw.expect('next', 's');
  raw.send({ type: 'complete', id: 's' });
  raw.send({ type: 'ping' });
  for (let event = await raw.event(); event?.message?.type !== 'pong'; event = await raw.event()) {
    assert.ok(event?.message, `no pong after complete: ${JSON.stringify(event)}`);
  }
  await emit();
  await raw.expectQuiet(2 * QUIET);
  raw.send(asQuery('s'));
  await raw.expect('next', 's');
});

await suite.check('graphql-ws client: query', async () => {
  const client = createClient({ url, webSocketImpl: WebSocket, connectionParams: credentials, retryAttempts: 0 });
  try {
    for await (const result of client.iterate({ query, variables: queryVariables })) answered(result);
  } finally {
    await client.dispose();
  }
});
await suite.check('graphql-ws client: subscription', async () => {
  const client = createClient({ url, webSocketImpl: WebSocket, connectionParams: credentials, retryAttempts: 0 });
  try {
    const events = client.iterate({ query: subscription, variables: subscriptionVariables });
    const first = events.next();
    await pause(trigger ? QUIET : 0);
    await emit();
    const { value } = await Promise.race([
      first,
      pause(PATIENCE).then(() => Promise.reject(new Error('waited in vain for an event'))),
    ]);
    answered(value);
    await events.return();
  } finally {
    await client.dispose();
  }
});
suite.finish();
