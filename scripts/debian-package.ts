/** Programs of Debian packages, fetched with apt (which verifies them) into .cache/debian/. */

import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { keepAs } from "./cache-entry.ts";
import { CACHE } from "./repository.ts";

const folder = join(CACHE, "debian");

/** Another architecture of Debian's than the machine's own. */
export type ForeignArchitecture = "i386";

/**
 * Options that have apt know another architecture. Its lists of packages are ours: the machine's are not changed.
 * They are fetched once.
 */
function foreignOptions(architecture: ForeignArchitecture): string[] {
  const lists = join(folder, `lists-${architecture}`);
  const settings = [
    `APT::Architectures::=amd64`,
    `APT::Architectures::=${architecture}`,
    `Dir::State::lists=${lists}`,
    "Dir::Cache::pkgcache=",
    "Dir::Cache::srcpkgcache=",
    "Acquire::Languages=none",
    "APT::Sandbox::User=root",
  ];
  const options = settings.flatMap((setting) => ["-o", setting]);
  if (!existsSync(lists)) {
    mkdirSync(join(lists, "partial"), { recursive: true });
    // A source that cannot be reached does not matter if the package is in another: the download tells.
    spawnSync("apt-get", [...options, "update"], { stdio: "pipe" });
  }
  return options;
}

/**
 * Unpacks a package of the machine's own Debian release.
 * @returns the directory that holds its files
 */
export function unpackDebianPackage(name: string, architecture?: ForeignArchitecture): string {
  const target = join(folder, architecture === undefined ? name : `${name}-${architecture}`);
  if (existsSync(target)) return target;
  const scratch = join(folder, `.${name}-${process.pid}`);
  mkdirSync(scratch, { recursive: true });
  const options = architecture === undefined ? [] : foreignOptions(architecture);
  const wanted = architecture === undefined ? name : `${name}:${architecture}`;
  try {
    execFileSync("apt-get", [...options, "download", wanted], { cwd: scratch, stdio: "pipe" });
    const archive = readdirSync(scratch).find((file) => file.endsWith(".deb"));
    if (archive === undefined) throw new Error(`apt-get download ${name} left no file`);
    execFileSync("dpkg-deb", ["-x", archive, "files"], { cwd: scratch, stdio: "pipe" });
    keepAs(target, join(scratch, "files"));
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  return target;
}

/**
 * A kernel of Debian's.
 * @param flavour the metapackage: "linux-image-cloud-amd64"; what it depends on is the kernel itself
 * @returns the path of its vmlinuz
 */
export function debianKernel(flavour: string, architecture?: ForeignArchitecture): string {
  const options = architecture === undefined ? [] : foreignOptions(architecture);
  const wanted = architecture === undefined ? flavour : `${flavour}:${architecture}`;
  const depends = execFileSync("apt-cache", [...options, "depends", "--important", wanted], {
    encoding: "utf8",
  });
  const name = /Depends: (linux-image-[^\s:]+)/.exec(depends)?.[1];
  if (name === undefined) throw new Error(`${flavour} depends on no kernel:\n${depends}`);
  const boot = join(unpackDebianPackage(name, architecture), "boot");
  const image = readdirSync(boot).find((file) => file.startsWith("vmlinuz-"));
  if (image === undefined) throw new Error(`${name} holds no vmlinuz`);
  return join(boot, image);
}
