/** Disks that tests boot are made once and kept in .cache/disks/, as long as they would be made the same way. */

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { CACHE, REPOSITORY } from "../../scripts/repository.ts";

function nameOf(parts: readonly (string | Uint8Array)[]): string {
  const digest = createHash("sha256");
  for (const part of parts) digest.update(part);
  return digest.digest("hex").slice(0, 12);
}

/** Names what is made by these source files: when they change it is made again. */
export function recipeOf(...sources: readonly string[]): string {
  return nameOf(sources.map((source) => readFileSync(join(REPOSITORY, source))));
}

/** The same for what is made of data. */
export function recipeOfData(data: unknown): string {
  return nameOf([JSON.stringify(data)]);
}

/**
 * @param build writes the disk to a path; it may use a folder that is empty and goes afterwards
 * @returns the file of that name, which is made if it is not there
 */
export function cachedDisk(name: string, build: (path: string, scratch: string) => void): string {
  const path = join(CACHE, "disks", name);
  if (existsSync(path)) return path;
  mkdirSync(dirname(path), { recursive: true });
  const scratch = mkdtempSync(join(tmpdir(), "osv-vm-disk-"));
  const part = `${path}.${process.pid}`;
  try {
    build(part, scratch);
    renameSync(part, path);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
    rmSync(part, { force: true });
  }
  return path;
}
