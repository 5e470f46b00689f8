/** /proc/pid/mounts and /proc/pid/mountinfo (proc(5)). */

import type { Thread } from "../../sched/thread.ts";
import { major, minor } from "../../vfs/character-device.ts";
import {
  type Mount,
  MS_NOATIME,
  MS_NODEV,
  MS_NODIRATIME,
  MS_NOEXEC,
  MS_NOSUID,
  MS_RELATIME,
} from "../../vfs/mount.ts";
import type { MountTable } from "../../vfs/mount-table.ts";
import { Path } from "../../vfs/path.ts";

const OPTIONS: readonly (readonly [flag: number, name: string])[] = [
  [MS_NOSUID, "nosuid"],
  [MS_NODEV, "nodev"],
  [MS_NOEXEC, "noexec"],
  [MS_NOATIME, "noatime"],
  [MS_NODIRATIME, "nodiratime"],
  [MS_RELATIME, "relatime"],
];

function mountOptions(mount: Mount): string {
  const options = [mount.readOnly ? "ro" : "rw"];
  for (const [flag, name] of OPTIONS) if ((mount.flags & flag) !== 0) options.push(name);
  return options.join(",");
}

/** Characters that would end a field (fs/seq_file.c: mangle). */
function mangle(text: string): string {
  return text.replace(/[ \t\n\\]/g, (c) => `\\${c.charCodeAt(0).toString(8).padStart(3, "0")}`);
}

/** The mounts that are below a root, with their places as seen from there. */
function* visible(mounts: MountTable, root: Path): Iterable<{ mount: Mount; place: string }> {
  for (const mount of mounts.mounts) {
    const place = new Path(mount, mount.root).toString(root);
    if (!place.startsWith("(unreachable)")) yield { mount, place };
  }
}

/** The six fields of fstab(5). */
export function listMounts(mounts: MountTable, thread: Thread | undefined): string {
  let text = "";
  for (const { mount, place } of visible(mounts, thread?.application.root ?? mounts.root)) {
    text += `${mangle(mount.source)} ${mangle(place)} ${mount.fileSystem.type} ${mountOptions(mount)} 0 0\n`;
  }
  return text;
}

export function listMountInfo(mounts: MountTable, thread: Thread | undefined): string {
  let text = "";
  for (const { mount, place } of visible(mounts, thread?.application.root ?? mounts.root)) {
    const { dev } = mount.fileSystem.root.stat();
    const parent = mount.parent?.id ?? 0;
    const root = rootWithin(mount);
    const superOptions = mount.fileSystem.readOnly ? "ro" : "rw";
    text +=
      `${mount.id} ${parent} ${major(dev)}:${minor(dev)} ${mangle(root)} ${mangle(place)} ${mountOptions(mount)}` +
      ` - ${mount.fileSystem.type} ${mangle(mount.source)} ${superOptions}\n`;
  }
  return text;
}

/** Where in its file system the root of a mount is: "/" but for bind mounts. */
function rootWithin(mount: Mount): string {
  const names: string[] = [];
  for (let at = mount.root; at.parent !== undefined; at = at.parent) names.push(at.name);
  return `/${names.reverse().join("/")}`;
}
