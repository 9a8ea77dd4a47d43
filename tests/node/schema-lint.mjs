// graphql-eslint's recommended and Relay rules on the published schema.
import { readFileSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import graphqlEslint from '@graphql-eslint/eslint-plugin';
import { ESLint } from 'eslint';
import { buildSchema, isObjectType } from 'graphql';
import { setting, Suite } from './suite.mjs';

const schemaPath = resolve(setting('CW_SCHEMA'));
const sdl = readFileSync(schemaPath, 'utf8');
const valueTypes = JSON.parse(readFileSync(new URL('value-types.json', import.meta.url), 'utf8'));
const suite = new Suite('schema-lint');

const rules = {
  ...graphqlEslint.configs['flat/schema-recommended'].rules,
  ...graphqlEslint.configs['flat/schema-relay'].rules,
  // Plain lists serve bounded sets (a child's guardians, `nodes(ids:)`); only unbounded ones are connections.
  '@graphql-eslint/relay-edge-types': ['error', { listTypeCanWrapOnlyEdgeType: false }],
  // A connection, edge or payload is the shape of an answer, not a thing with an identity;
  // value-types.json names each value type with its reason.
  '@graphql-eslint/strict-id-in-types': [
    'error',
    { exceptions: { types: Object.keys(valueTypes), suffixes: ['Connection', 'Edge', 'Payload'] } },
  ],
};

const eslint = new ESLint({
  cwd: dirname(schemaPath),
  overrideConfigFile: true,
  overrideConfig: [
    {
      files: ['**/*.graphql'],
      plugins: { '@graphql-eslint': graphqlEslint },
      languageOptions: {
        parser: graphqlEslint.parser,
        parserOptions: { graphQLConfig: { schema: schemaPath } },
      },
      linterOptions: { noInlineConfig: true },
      rules,
    },
  ],
});

const [{ messages }] = await eslint.lintText(sdl, { filePath: schemaPath });
const broken = new Map();
for (const message of messages) {
  const rule = message.ruleId ?? 'parser';
  const line = `${basename(schemaPath)}:${message.line}:${message.column} ${message.message}`;
  broken.set(rule, [...(broken.get(rule) ?? []), line]);
}
for (const rule of new Set([...Object.keys(rules), ...broken.keys()])) {
  if (broken.has(rule)) suite.fail(rule, broken.get(rule).join('\n'));
  else suite.pass(rule);
}

await suite.check('value-types.json names only value types', () => {
  const schema = buildSchema(sdl);
  const stale = Object.keys(valueTypes).filter((name) => {
    const type = schema.getType(name);
    return !isObjectType(type) || 'id' in type.getFields();
  });
  if (stale.length > 0) throw new Error(`no longer needed: ${stale.join(', ')}`);
});
suite.finish();
