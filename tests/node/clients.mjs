// Apollo Client and urql: a query with variables, a mutation, data beside a FORBIDDEN error.
import assert from 'node:assert/strict';
import { ApolloClient, CombinedGraphQLErrors, HttpLink, InMemoryCache, gql } from '@apollo/client/core/index.js';
import { Client, fetchExchange } from '@urql/core';
import { assertAnswered, endpoint, setting, Suite, variables } from './suite.mjs';

const suite = new Suite('clients');
const bearer = (token) => ({ authorization: `Bearer ${token}` });
const token = setting('CW_TOKEN');
const partialToken = setting('CW_PARTIAL_TOKEN', token);
const query = setting('CW_QUERY');
const mutation = setting('CW_MUTATION');
const partialQuery = setting('CW_PARTIAL_QUERY');

/** Both clients behind one shape: `{ data, errors }`. */
const apollo = (as) => {
  const client = new ApolloClient({
    link: new HttpLink({ uri: endpoint(), headers: bearer(as) }),
    cache: new InMemoryCache(),
    defaultOptions: { query: { errorPolicy: 'all' }, mutate: { errorPolicy: 'all' } },
  });
  const flat = ({ data, error }) => {
    if (error && !CombinedGraphQLErrors.is(error)) throw error;
    return { data, errors: error?.errors ?? [] };
  };
  return {
    query: async (text, vars) => flat(await client.query({ query: gql(text), variables: vars })),
    mutate: async (text, vars) => flat(await client.mutate({ mutation: gql(text), variables: vars })),
  };
};
const urql = (as) => {
  const client = new Client({
    url: endpoint(),
    exchanges: [fetchExchange],
    preferGetMethod: false,
    fetchOptions: { headers: bearer(as) },
  });
  const flat = ({ data, error }) => {
    if (error?.networkError) throw error.networkError;
    return { data, errors: error?.graphQLErrors ?? [] };
  };
  return {
    query: async (text, vars) => flat(await client.query(text, vars).toPromise()),
    mutate: async (text, vars) => flat(await client.mutation(text, vars).toPromise()),
  };
};

const at = (data, path) => path.reduce((value, key) => (value === null ? null : value?.[key]), data);

for (const [name, client] of [['Apollo', apollo], ['urql', urql]]) {
  await suite.check(`${name}: query with variables`, async () => {
    const { data, errors } = await client(token).query(query, variables('CW_QUERY_VARIABLES'));
    assert.deepEqual(errors.map((one) => one.message), []);
    assertAnswered(data);
  });
  await suite.check(`${name}: mutation`, async () => {
    const { data, errors } = await client(token).mutate(mutation, variables('CW_MUTATION_VARIABLES'));
    assert.deepEqual(errors.map((one) => one.message), []);
    assertAnswered(data);
  });
  await suite.check(`${name}: data beside a FORBIDDEN error`, async () => {
    const { data, errors } = await client(partialToken).query(partialQuery, variables('CW_PARTIAL_VARIABLES'));
    assertAnswered(data);
    assert.ok(errors.length > 0, 'no error came with the data');
    for (const error of errors) {
      assert.equal(error.extensions?.code, 'FORBIDDEN', `${error.message}: code ${error.extensions?.code}`);
      assert.ok(error.path?.length > 0, `${error.message}: no path`);
      assert.equal(at(data, error.path), null, `nothing null at ${error.path.join('.')}`);
    }
  });
}
suite.finish();
