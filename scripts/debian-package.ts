/** Programs of Debian packages, fetched with apt (which verifies them) into .cache/debian/. */

import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { keepAs } from "./cache-entry.ts";
import { CACHE } from "./repository.ts";

const folder = join(CACHE, "debian");

/** Another architecture of Debian's than the machine's own. */
export type ForeignArchitecture = "i386";

const listsOf = (architecture: ForeignArchitecture): string => join(folder, `lists-${architecture}`);

/** Options that have apt know another architecture. The lists of packages are ours: the machine's are not changed. */
function foreignOptions(architecture: ForeignArchitecture, lists: string): string[] {
  const settings = [
    "APT::Architectures::=amd64",
    `APT::Architectures::=${architecture}`,
    `Dir::State::lists=${lists}`,
    "Dir::Cache::pkgcache=",
    "Dir::Cache::srcpkgcache=",
    "Acquire::Languages=none",
    "APT::Sandbox::User=root",
  ];
  return settings.flatMap((setting) => ["-o", setting]);
}

/**
 * The directory with the lists of packages, which are fetched if they are not there. A source that cannot be reached, or
 * whose mirror is being synchronised, does not matter if the package is in another: the download tells.
 */
function foreignLists(architecture: ForeignArchitecture): string {
  const lists = listsOf(architecture);
  if (existsSync(lists)) return lists;
  const part = `${lists}.${process.pid}`;
  mkdirSync(join(part, "partial"), { recursive: true });
  try {
    const update = spawnSync("apt-get", [...foreignOptions(architecture, part), "update"], {
      encoding: "utf8",
    });
    if (!readdirSync(part).some((name) => name.includes("_Packages")))
      throw new Error(`apt-get update fetched no list of ${architecture}'s packages\n${update.stderr}`);
    keepAs(lists, part);
  } finally {
    rmSync(part, { recursive: true, force: true });
  }
  return lists;
}

/** Asks apt. What is not in lists of ours is asked for once more, with new ones: packages have come and gone. */
function askApt(
  program: "apt-get" | "apt-cache",
  command: readonly string[],
  name: string,
  architecture: ForeignArchitecture | undefined,
  folder?: string,
): string {
  const ask = () => {
    const options =
      architecture === undefined ? [] : foreignOptions(architecture, foreignLists(architecture));
    const wanted = architecture === undefined ? name : `${name}:${architecture}`;
    return execFileSync(program, [...options, ...command, wanted], {
      encoding: "utf8",
      stdio: "pipe",
      ...(folder !== undefined && { cwd: folder }),
    });
  };
  try {
    return ask();
  } catch (error) {
    if (architecture === undefined) throw error;
    rmSync(listsOf(architecture), { recursive: true, force: true });
    return ask();
  }
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
  try {
    askApt("apt-get", ["download"], name, architecture, scratch);
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
  const depends = askApt("apt-cache", ["depends", "--important"], flavour, architecture);
  const name = /Depends: (linux-image-[^\s:]+)/.exec(depends)?.[1];
  if (name === undefined) throw new Error(`${flavour} depends on no kernel:\n${depends}`);
  const boot = join(unpackDebianPackage(name, architecture), "boot");
  const image = readdirSync(boot).find((file) => file.startsWith("vmlinuz-"));
  if (image === undefined) throw new Error(`${name} holds no vmlinuz`);
  return join(boot, image);
}
