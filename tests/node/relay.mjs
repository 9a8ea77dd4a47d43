// relay-compiler on a query over every connection of the schema, and a pagination fragment where Relay allows one.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSchema, getNamedType, isEnumType, isObjectType, isRequiredArgument, isScalarType } from 'graphql';
import { setting, Suite } from './suite.mjs';

const sdl = readFileSync(resolve(setting('CW_SCHEMA')), 'utf8');
const schema = buildSchema(sdl);
const query = schema.getQueryType();
const suite = new Suite('relay');

const isConnection = (type) => isObjectType(type) && type.name.endsWith('Connection') && 'edges' in type.getFields();
const isNode = (type) => isObjectType(type) && type.getInterfaces().some((one) => one.name === 'Node');
const isLeaf = (type) => isScalarType(type) || isEnumType(type);
const outputFields = (type) => ('getFields' in type ? Object.values(type.getFields()) : []);
const concrete = (type) => (isObjectType(type) ? [type] : isLeaf(type) ? [] : schema.getPossibleTypes(type));

/** Variables gathered along one path; each name is given once. */
class Variables {
  #declared = new Map();
  bind(argument) {
    let name = argument.name;
    for (let n = 2; this.#declared.has(name); n += 1) name = `${argument.name}${n}`;
    this.#declared.set(name, String(argument.type));
    return `${argument.name}: $${name}`;
  }
  get declaration() {
    const all = [...this.#declared].map(([name, type]) => `$${name}: ${type}`);
    return all.length > 0 ? `(${all.join(', ')})` : '';
  }
  get definitions() {
    return [...this.#declared].map(([name, type]) => `${name}: {type: "${type}"}`);
  }
}

const required = (field, vars) => field.args.filter(isRequiredArgument).map((argument) => vars.bind(argument));
const call = (name, args) => (args.length > 0 ? `${name}(${args.join(', ')})` : name);

/** The shortest way from a root to each object type: a list of steps, each wrapping the selection below it. */
function paths() {
  const found = new Map();
  const queue = [];
  const visit = (type, root, steps) => {
    if (found.has(type)) return;
    found.set(type, { root, steps });
    queue.push(type);
  };
  visit(query, 'query', []);
  if (query.getFields().node) {
    for (const type of Object.values(schema.getTypeMap()).filter(isNode)) {
      visit(type, 'query', [{ field: query.getFields().node, on: type }]);
    }
  }
  const drain = () => {
    for (let from = queue.shift(); from; from = queue.shift()) {
      const { root, steps } = found.get(from);
      for (const field of outputFields(from)) {
        const target = getNamedType(field.type);
        for (const type of concrete(target)) {
          visit(type, root, [...steps, { field, on: type === target ? undefined : type }]);
        }
      }
    }
  };
  drain();
  if (schema.getMutationType()) visit(schema.getMutationType(), 'mutation', []);
  drain();
  return found;
}

function inside(steps, vars, selection) {
  return steps.reduceRight((body, { field, on }) => {
    const narrowed = on ? `... on ${on.name} { ${body} }` : body;
    return `${call(field.name, required(field, vars))} { ${narrowed} }`;
  }, selection);
}

const reserved = ['first', 'after', 'last', 'before'];

function connection(field, module, vars, pagination) {
  const type = getNamedType(field.type);
  const node = getNamedType(getNamedType(type.getFields().edges.type).getFields().node.type);
  const leaves = outputFields(node)
    .filter((one) => isLeaf(getNamedType(one.type)) && !one.args.some(isRequiredArgument))
    .map((one) => one.name);
  const own = field.args.filter((one) => isRequiredArgument(one) && !reserved.includes(one.name));
  const args = [...pagination, ...own.map((argument) => vars.bind(argument))];
  return `${call(field.name, args)} @connection(key: "${module}_${field.name}") {
      edges { cursor node { ${['__typename', ...leaves].join(' ')} } }
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }`;
}

const inFile = (text) => `import { graphql } from 'relay-runtime';\n\ngraphql\`\n  ${text}\n\`;\n`;

function operation(field, way, module) {
  const vars = new Variables();
  const body = inside(way.steps, vars, connection(field, module, vars, ['first: 10']));
  return inFile(`${way.root} ${module}${vars.declaration} { ${body} }`);
}

/** A fragment can be refetched on the query root and on nodes, nowhere else. */
function refetchable(parent, field, module) {
  const vars = new Variables();
  const after = field.args.find((one) => one.name === 'after');
  const body = connection(field, module, vars, ['first: $count', 'after: $cursor']);
  const definitions = ['count: {type: "Int", defaultValue: 10}', `cursor: {type: "${after.type}"}`, ...vars.definitions];
  return inFile(`fragment ${module}_page on ${parent.name}
  @refetchable(queryName: "${module}PaginationQuery")
  @argumentDefinitions(${definitions.join(', ')}) {
    ${body}
  }`);
}

const project = mkdtempSync(join(tmpdir(), 'relay-'));
process.on('exit', () => rmSync(project, { recursive: true, force: true }));
mkdirSync(join(project, 'src'));
mkdirSync(join(project, 'generated'));
writeFileSync(join(project, 'schema.graphql'), sdl);
writeFileSync(
  join(project, 'relay.config.json'),
  JSON.stringify({ src: './src', schema: './schema.graphql', language: 'typescript', artifactDirectory: './generated' }),
);

const connections = [];
const reached = paths();
for (const [parent, way] of reached) {
  for (const field of outputFields(parent).filter((one) => isConnection(getNamedType(one.type)))) {
    const title = `${parent.name}.${field.name}`;
    const module = [parent.name, field.name].map((name) => name[0].toUpperCase() + name.slice(1)).join('');
    const names = [`${module}${way.root === 'query' ? 'Query' : 'Mutation'}`];
    writeFileSync(join(project, 'src', `${module}.ts`), operation(field, way, names[0]));
    if (parent === query || isNode(parent)) {
      writeFileSync(join(project, 'src', `${module}Page.ts`), refetchable(parent, field, `${module}Page`));
      names.push(`${module}PagePaginationQuery`);
    }
    connections.push({ title, names });
  }
}

const compiler = fileURLToPath(new URL('node_modules/relay-compiler/cli.js', import.meta.url));
const run = spawnSync(process.execPath, [compiler, 'relay.config.json'], { cwd: project, encoding: 'utf8' });
await suite.check('relay-compiler accepts the schema and every query', () => {
  if (run.status !== 0) throw new Error(`${run.stdout}${run.stderr}`.replaceAll(project, '').replace(/\x1b\[\d*m/g, ''));
});
for (const { title, names } of connections) {
  await suite.check(`${title} compiled`, () => {
    const missing = names.filter((name) => !existsSync(join(project, 'generated', `${name}.graphql.ts`)));
    if (missing.length > 0) throw new Error(`nothing generated for ${missing.join(', ')}`);
  });
}
await suite.check('every connection type is reached from a root', () => {
  if (connections.length === 0) throw new Error('the schema has no connection');
  const missed = Object.values(schema.getTypeMap()).filter((type) => isConnection(type) && !reached.has(type));
  if (missed.length > 0) throw new Error(missed.map((type) => type.name).join(', '));
});
suite.finish({ connections: connections.length });
