/** mount, umount. */

import {
  type Mount,
  MS_NOATIME,
  MS_NODEV,
  MS_NOEXEC,
  MS_NOSUID,
  MS_RDONLY,
  MS_RELATIME,
} from "../../vfs/mount.ts";
import { type Builtin, type BuiltinContext, CommandFailure, parseOptions, UsageFailure } from "../builtin.ts";
import { placeOf } from "./memory.ts";

const FLAG_NAMES: Readonly<Record<string, number>> = {
  ro: MS_RDONLY,
  nosuid: MS_NOSUID,
  nodev: MS_NODEV,
  noexec: MS_NOEXEC,
  noatime: MS_NOATIME,
  relatime: MS_RELATIME,
};

function describeFlags(mount: Mount): string {
  const names = Object.entries(FLAG_NAMES).filter(
    ([name, flag]) => name !== "ro" && (mount.flags & flag) !== 0,
  );
  return [mount.readOnly ? "ro" : "rw", ...names.map(([name]) => name)].join(",");
}

async function mount(context: BuiltinContext, args: readonly string[]): Promise<number> {
  const { kernel, thread, stdout } = context;
  const { values, operands } = parseOptions(args, "t:o:");
  if (operands.length === 0) {
    const type = values.get("t");
    for (const each of kernel.mounts.mounts) {
      if (type !== undefined && each.fileSystem.type !== type) continue;
      await stdout.write(
        `${each.source} on ${placeOf(each)} type ${each.fileSystem.type} (${describeFlags(each)})\n`,
      );
    }
    return 0;
  }
  const [source, target] = operands;
  if (target === undefined || operands.length > 2) throw new UsageFailure("give a source and a directory");
  const options = (values.get("o") ?? "").split(",").filter((option) => option !== "" && option !== "rw");
  const at = kernel.mounts.resolve(thread, target, { directory: true });
  if (options.includes("bind")) {
    kernel.mounts.bind(kernel.mounts.resolve(thread, source), at);
    return 0;
  }
  const types = [...kernel.mounts.fileSystemTypes.keys()];
  const type = values.get("t");
  if (type === undefined) throw new CommandFailure(`give a type with -t: ${types.join(", ")}`);
  const factory = kernel.mounts.fileSystemTypes.get(type);
  if (factory === undefined)
    throw new CommandFailure(`unknown file system type '${type}'; there are: ${types.join(", ")}`);
  const flags = options.reduce((sum, option) => sum | (FLAG_NAMES[option] ?? 0), MS_RELATIME);
  const data = options.filter((option) => FLAG_NAMES[option] === undefined).join(",");
  kernel.mounts.mount(factory(thread, source, data, flags), at, { source, flags });
  return 0;
}

function umount({ kernel, thread }: BuiltinContext, args: readonly string[]): number {
  const { flags, operands } = parseOptions(args, "l");
  if (operands.length === 0) throw new UsageFailure("give a directory");
  for (const name of operands) {
    const at = kernel.mounts.resolve(thread, name);
    if (at.dentry !== at.mount.root) throw new CommandFailure(`${name}: not mounted`);
    for (const { cwd } of kernel.applications.values()) {
      if (cwd.mount === at.mount && !flags.has("l")) throw new CommandFailure(`${name}: target is busy`);
    }
    kernel.mounts.unmount(at, flags.has("l"));
  }
  return 0;
}

export const MOUNT_COMMANDS: readonly Builtin[] = [
  {
    name: "mount",
    usage: "[-t TYPE] [-o OPTIONS] [SOURCE DIR]",
    summary: "list or mount file systems",
    run: mount,
    details: `  -o  ${Object.keys(FLAG_NAMES).join(", ")}, bind, or what the type knows`,
  },
  {
    name: "umount",
    usage: "[-l] DIR…",
    summary: "unmount file systems",
    run: umount,
    details: "  -l  even if something is in use or mounted below",
  },
];
