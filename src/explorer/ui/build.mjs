// Bundles the explorer into ../assets, which the binary embeds.
import { build } from "esbuild";
import { readFile, readdir, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";

const assets = "../assets";

// GraphiQL inlines 370 KB of Latin fonts; the reader's own fonts also have the Chinese characters.
const withoutFonts = {
  name: "without-fonts",
  setup({ onLoad }) {
    onLoad({ filter: /graphiql[\\/]dist[\\/]style\.css$/ }, async ({ path }) => ({
      contents: (await readFile(path, "utf8")).replace(/@font-face\s*{[^}]*}/g, ""),
      loader: "css",
    }));
  },
};

/** Name, version and licence text of every package in the bundle. */
async function notices(inputs) {
  const found = inputs.map((input) => input.match(/^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/)?.[0]);
  const packages = [...new Set(found.filter(Boolean))].sort();
  const texts = packages.map(async (folder) => {
    const { name, version, license } = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
    const file = (await readdir(folder)).find((entry) => /^licen[cs]e(\.|$)/i.test(entry));
    const text = file ? await readFile(join(folder, file), "utf8") : "";
    return `${name} ${version} (${license})\n\n${text.replaceAll("\r\n", "\n").trim()}\n`;
  });
  return (await Promise.all(texts)).join(`\n${"-".repeat(72)}\n\n`);
}

await rm(assets, { recursive: true, force: true });
const { metafile } = await build({
  entryPoints: ["main.jsx", "icon.svg"],
  bundle: true,
  minify: true,
  // GraphiQL takes the accessible names of its icons from the names of its functions.
  keepNames: true,
  format: "esm",
  target: "es2022",
  jsx: "automatic",
  define: { "process.env.NODE_ENV": '"production"' },
  loader: { ".svg": "copy" },
  entryNames: "[name]-[hash]",
  legalComments: "none",
  outdir: assets,
  metafile: true,
  plugins: [withoutFonts],
});

let page = await readFile("index.html", "utf8");
for (const output of Object.keys(metafile.outputs).map((path) => basename(path))) {
  page = page.replace(output.replace(/-[^-.]+(\.\w+)$/, "$1"), output);
}
await writeFile(join(assets, "index.html"), page);
await writeFile(join(assets, "licences.txt"), await notices(Object.keys(metafile.inputs)));
