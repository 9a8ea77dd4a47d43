// graphql-sse in distinct connections mode, event by event, then through the graphql-sse client.
import assert from 'node:assert/strict';
import { createClient } from 'graphql-sse';
import { endpoint, setting, Suite, variables } from './suite.mjs';

const url = endpoint();
const token = setting('CW_TOKEN');
const query = setting('CW_QUERY', '{ __typename }');
const subscription = setting('CW_SUBSCRIPTION');
const subscriptionVariables = variables('CW_SUBSCRIPTION_VARIABLES');
const PATIENCE = 10_000;

const suite = new Suite('sse');
const headers = { authorization: `Bearer ${token}`, accept: 'text/event-stream', 'content-type': 'application/json' };

/** Events of a stream as they arrive; comments are left out. */
async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let text = ''; ; ) {
    const { done, value } = await reader.read();
    if (done) return;
    text += value;
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const fields = Object.fromEntries(text.slice(0, end).split('\n').filter((line) => !line.startsWith(':')).map((line) => line.split(/: ?(.*)/s)));
      text = text.slice(end + 2);
      if (fields.event) yield { event: fields.event, data: fields.data && JSON.parse(fields.data), raw: fields };
    }
  }
}
const post = (body, more = {}) => fetch(url, { method: 'POST', headers: { ...headers, ...more }, body: JSON.stringify(body), signal: AbortSignal.timeout(PATIENCE) });
const all = async (response) => {
  const seen = [];
  for await (const event of events(response)) seen.push(event);
  return seen;
};
const accepted = (response) => {
  assert.equal(response.status, 200);
  assert.match(response.headers.get('content-type'), /^text\/event-stream/);
};
const resultAndComplete = async (response, check) => {
  accepted(response);
  const seen = await all(response);
  assert.deepEqual(seen.map((e) => e.event), ['next', 'complete']);
  assert.equal(seen[1].raw.data, '', 'complete carries an empty data');
  check(seen[0].data);
};

await suite.check('a query by POST gives next and complete', async () =>
  resultAndComplete(await post({ query }), (result) => assert.ok(result.data?.__typename)));
await suite.check('a query by GET gives next and complete', async () =>
  resultAndComplete(await fetch(`${url}?query=${encodeURIComponent(query)}`, { headers: { ...headers, 'content-type': '' } }), (result) => assert.ok(result.data?.__typename)));
await suite.check('a document that cannot be parsed is told in an accepted stream', async () =>
  resultAndComplete(await post({ query: '{' }), (result) => assert.ok(result.errors.length > 0 && result.data === undefined)));
await suite.check('a document that is not valid is told in an accepted stream', async () =>
  resultAndComplete(await post({ query: '{ nothing }' }), (result) => assert.ok(result.errors.length > 0 && result.data === undefined)));
await suite.check('a subscription that is not valid is told in an accepted stream', async () =>
  resultAndComplete(await post({ query: 'subscription { nothing }' }), (result) => assert.ok(result.errors.length > 0)));
await suite.check('without a token the answer is 401 and no stream', async () => {
  const response = await post({ query }, { authorization: '' });
  assert.equal(response.status, 401);
  assert.match(response.headers.get('content-type'), /json/);
});
await suite.check('a subscription gives events until the client goes', async () => {
  const stop = new AbortController();
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify({ query: subscription, variables: subscriptionVariables }), signal: stop.signal });
  accepted(response);
  for await (const { event, data } of events(response)) {
    assert.equal(event, 'next');
    assert.ok(data.data && !data.errors, JSON.stringify(data));
    break;
  }
  stop.abort();
});

const client = createClient({ url, headers: { authorization: `Bearer ${token}` }, retryAttempts: 0 });
await suite.check('graphql-sse client: query', async () => {
  const results = [];
  for await (const result of client.iterate({ query })) results.push(result);
  assert.equal(results.length, 1);
  assert.ok(results[0].data.__typename);
});
await suite.check('graphql-sse client: subscription', async () => {
  const iterator = client.iterate({ query: subscription, variables: subscriptionVariables });
  const { value } = await iterator.next();
  assert.ok(value.data && !value.errors, JSON.stringify(value));
  await iterator.return();
});
await suite.check('graphql-sse client: a refusal reaches the caller', async () => {
  const stranger = createClient({ url, headers: { authorization: 'Bearer nothing' }, retryAttempts: 0 });
  await assert.rejects(async () => { for await (const _ of stranger.iterate({ query })); }, /Unauthorized|401/);
});
client.dispose();
suite.finish();
