/**
 * Bundles the command into chunks: what is needed together is loaded together, by osv-vm.js, and what is not needed is
 * not even read. The first file of dist/ has all that running a program takes; the JIT, the shell, a whole PC are in
 * others.
 *
 * esbuild splits ES modules only, and V8 gives a code cache to scripts only: chunks are made as the first and rewritten as
 * functions. Imports become constants of such a function, so a call into another chunk costs what one within it does.
 */

import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { build, type Metafile, type OutputFile, type Plugin, transform } from "esbuild";
import { DIST, REPOSITORY } from "./repository.ts";

const ENTRY = "cli/main.ts";
/** What the first file has, beside the entry: all that this imports statically. */
const FIRST = "cli/run.ts";
const NAME = "cli";

/** commander can start subcommands that are programs. Ours are not, and child_process takes some milliseconds to load. */
const withoutSubprograms: Plugin = {
  name: "commander without child_process",
  setup(build) {
    build.onResolve({ filter: /^(node:)?child_process$/ }, ({ importer }) =>
      importer.includes("/commander/") ? { path: "child_process", namespace: "left-out" } : undefined,
    );
    build.onLoad({ filter: /.*/, namespace: "left-out" }, () => ({ contents: "module.exports = {};" }));
  },
};

interface Chunk {
  readonly name: string;
  /** `define(…);` with its name and a function: it gets `require`, importers of other chunks, and its directory. */
  readonly code: string;
  readonly map: string;
}

/** Writes dist/cli.cjs and dist/cli-*.cjs with their source maps. */
export async function bundleCommand(): Promise<void> {
  const { metafile, outputFiles } = await build({
    absWorkingDir: REPOSITORY,
    entryPoints: { [NAME]: ENTRY },
    outdir: DIST,
    chunkNames: `${NAME}-[name]-[hash]`,
    bundle: true,
    splitting: true,
    write: false,
    metafile: true,
    platform: "node",
    target: "node20",
    format: "esm",
    supported: { "top-level-await": false },
    define: { "import.meta.dirname": "directory" },
    external: ["iced-x86"], // finds its .wasm beside itself
    plugins: [withoutSubprograms],
    charset: "ascii", // V8 keeps such text in half the memory
    sourcemap: "external",
    legalComments: "none",
    logLevel: "warning",
  });
  for (const file of readdirSync(DIST))
    if (file.startsWith(`${NAME}.cjs`) || file.startsWith(`${NAME}-`)) rmSync(join(DIST, file));
  const texts = new Map(outputFiles.map((file) => [basename(file.path), file]));
  const first = firstChunks(metafile);
  const inFirst: Chunk[] = [];
  for (const [path, output] of Object.entries(metafile.outputs)) {
    if (path.endsWith(".map")) continue;
    const chunk = await makeChunk(basename(path), texts, output.imports);
    if (first.has(path)) inFirst.push(chunk);
    else writeFile(chunk.name, [chunk]);
  }
  writeFile(NAME, inFirst);
}

/** The chunks of the entry and of what is loaded for {@link FIRST}. */
function firstChunks({ outputs }: Metafile): ReadonlySet<string> {
  const found = new Set<string>();
  const add = (path: string) => {
    if (found.has(path)) return;
    found.add(path);
    for (const { path: imported, kind, external } of outputs[path].imports)
      if (kind === "import-statement" && external !== true) add(imported);
  };
  for (const [path, { entryPoint }] of Object.entries(outputs))
    if (entryPoint === ENTRY || entryPoint === FIRST) add(path);
  return found;
}

const IMPORT = /^import (?:([^";]+) from )?"([^"]+)";$/gm;
const EXPORT = /^export \{$(.*?)^\};$/ms;
const DYNAMIC_IMPORT = /\bimport\("([^"]+)"\)/g;

type Imports = Metafile["outputs"][string]["imports"];

/** Rewrites a chunk as a function, line by line, so that its source map stays right, and makes it small. */
async function makeChunk(
  file: string,
  texts: ReadonlyMap<string, OutputFile>,
  imports: Imports,
): Promise<Chunk> {
  let statements = 0;
  let expressions = 0;
  const text = (texts.get(file)?.text ?? "")
    .replaceAll(IMPORT, (_, what: string | undefined, from: string) => {
      statements++;
      return importStatement(what, from);
    })
    .replaceAll(DYNAMIC_IMPORT, (_, from: string) => {
      expressions++;
      return `load(${JSON.stringify(chunkName(from))})`;
    })
    .replace(
      EXPORT,
      (_, names: string) => `return {${names.replaceAll(/([\w$]+) as ([\w$]+)/g, "$2: $1")}};`,
    );
  const count = (kind: string) => imports.filter((entry) => entry.kind === kind).length;
  // An expression may be there more than once.
  if (
    statements !== count("import-statement") ||
    expressions < count("dynamic-import") ||
    /^export /m.test(text)
  )
    throw new Error(`${file}: not all of its imports and exports were understood`);
  const map = texts.get(`${file}.map`)?.text ?? "";
  const name = chunkName(file);
  const input = `define("${name}", function (require, chunk, load, directory) {${text}\n});\n//# sourceMappingURL=data:application/json;base64,${Buffer.from(map).toString("base64")}`;
  const small = await transform(input, {
    sourcefile: file,
    sourcemap: "external",
    sourcesContent: false,
    target: "node20",
    charset: "ascii",
    minify: true,
    legalComments: "none",
    logLevel: "warning",
  });
  return { name, code: small.code, map: small.map };
}

/** `./cli-run-ABC.js` is the chunk cli-run-ABC; anything else is a module of Node or a package. */
function chunkName(from: string): string {
  return from.startsWith("node:") ? from : basename(from, ".js");
}

function importCall(from: string): string {
  return from.startsWith("./") ? `chunk("${chunkName(from)}")` : `require("${from}")`;
}

function importStatement(what: string | undefined, from: string): string {
  const call = importCall(from);
  if (what === undefined) return `${call};`;
  const [, before = "", names] = /^([^{]*?)(?:, )?(\{.*\})?$/s.exec(what) ?? [];
  const whole = before.replace(/^\* as /, "").trim();
  const parts = names === undefined ? [] : [`${names.replaceAll(" as ", ": ")} = ${call}`];
  if (whole !== "") parts.unshift(`${whole} = ${call}`);
  return `const ${parts.join(", ")};`;
}

/** A file is a function that is given `define` and calls it for each of the chunks. */
function writeFile(name: string, chunks: readonly Chunk[]): void {
  let text = "(function (define) {\n";
  const sections = [];
  for (const { code, map } of chunks) {
    sections.push({ offset: { line: text.split("\n").length - 1, column: 0 }, map: JSON.parse(map) });
    text += code;
  }
  text += "})\n";
  const path = join(DIST, `${name}.cjs`);
  writeFileSync(path, text);
  writeFileSync(`${path}.map`, JSON.stringify({ version: 3, file: basename(path), sections }));
}
