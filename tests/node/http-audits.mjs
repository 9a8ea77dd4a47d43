// Every audit of `graphql-http`, the SHOULD and MAY ones included.
import { serverAudits } from 'graphql-http';
import { endpoint, setting, Suite } from './suite.mjs';

const token = setting('CW_TOKEN');
const suite = new Suite('http-audits');

const fetchFn = (url, init = {}) => {
  const headers = new Headers(init.headers);
  headers.set('authorization', `Bearer ${token}`);
  return fetch(url, { ...init, headers });
};

for (const audit of serverAudits({ url: endpoint(), fetchFn })) {
  const title = `${audit.id} ${audit.name}`;
  const result = await audit.fn();
  if (result.status === 'ok') {
    suite.pass(title);
  } else {
    const { status, headers } = result.response;
    suite.fail(title, `${result.status}: ${result.reason} (answered ${status} ${headers.get('content-type') ?? 'without a content type'})`);
  }
}
suite.finish();
