/**
 * Runs a TypeScript file: `node scripts/run-ts.mjs FILE [arguments…]`. Node 20 cannot, so esbuild bundles it into
 * .cache/run/ first. Packages stay outside the bundle.
 */

import { mkdirSync, renameSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";

const repository = resolve(dirname(fileURLToPath(import.meta.url)), "..");

/**
 * Bundles one TypeScript file and imports it.
 * @param {string} path relative to the repository
 * @returns {Promise<Record<string, unknown>>} what it exports
 */
export async function importTypeScript(path) {
  const source = resolve(repository, path);
  const outfile = join(
    repository,
    ".cache/run",
    `${relative(repository, source).replaceAll("/", "-").replace(/\.ts$/, "")}.mjs`,
  );
  mkdirSync(dirname(outfile), { recursive: true });
  // Several processes may want the same file at once: each of them finds a whole one.
  const scratch = `${outfile}.${process.pid}`;
  await build({
    entryPoints: [source],
    outfile: scratch,
    bundle: true,
    platform: "node",
    target: "node20",
    format: "esm",
    packages: "external",
    sourcemap: "inline",
    logLevel: "warning",
  });
  renameSync(scratch, outfile);
  return import(pathToFileURL(outfile).href);
}

const [, self, file] = process.argv;
if (self !== undefined && resolve(self) === fileURLToPath(import.meta.url)) {
  if (file === undefined) {
    console.error("usage: node scripts/run-ts.mjs FILE [arguments…]");
    process.exit(2);
  }
  process.setSourceMapsEnabled(true);
  process.argv.splice(1, 2, resolve(repository, file));
  await importTypeScript(file);
}
