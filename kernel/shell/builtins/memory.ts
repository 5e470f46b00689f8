/** free, df: how much is left. */

import { PAGE_SIZE } from "../../../mmu/translator.ts";
import type { Mount } from "../../vfs/mount.ts";
import { Path } from "../../vfs/path.ts";
import { type Builtin, type BuiltinContext, parseOptions } from "../builtin.ts";
import { humanSize, table } from "../sizes.ts";

async function free({ kernel, stdout }: BuiltinContext, args: readonly string[]): Promise<number> {
  const { flags } = parseOptions(args, "bkmh");
  const { total, free: unused } = kernel.space.frames;
  const show = (frames: number): string => {
    const bytes = frames * PAGE_SIZE;
    if (flags.has("h")) return humanSize(bytes);
    return String(flags.has("b") ? bytes : Math.floor(bytes / (flags.has("m") ? 2 ** 20 : 1024)));
  };
  const rows = [
    ["", "total", "used", "free"],
    ["Mem:", show(total), show(total - unused), show(unused)],
  ];
  await stdout.write(
    table(
      rows.map(([name, ...cells]) => [name, ...cells.map((cell) => cell.padStart(11))]),
      new Set([1, 2, 3]),
    ),
  );
  return 0;
}

async function df({ kernel, thread, stdout }: BuiltinContext, args: readonly string[]): Promise<number> {
  const { flags, operands } = parseOptions(args, "ha");
  const mounts =
    operands.length > 0
      ? operands.map((name) => kernel.mounts.resolve(thread, name).mount)
      : kernel.mounts.mounts.filter((mount) => flags.has("a") || mount.fileSystem.statfs().blocks > 0);
  const size = (bytes: number): string =>
    flags.has("h") ? humanSize(bytes) : String(Math.ceil(bytes / 1024));
  const rows = mounts.map((mount) => {
    const { blockSize, blocks, freeBlocks } = mount.fileSystem.statfs();
    const used = blocks - freeBlocks;
    const percent = blocks === 0 ? "-" : `${Math.ceil((100 * used) / blocks)}%`;
    return [
      mount.source,
      size(blocks * blockSize),
      size(used * blockSize),
      size(freeBlocks * blockSize),
      percent,
      placeOf(mount),
    ];
  });
  const head = [
    "Filesystem",
    flags.has("h") ? "Size" : "1K-blocks",
    "Used",
    "Available",
    "Use%",
    "Mounted on",
  ];
  await stdout.write(table([head, ...rows], new Set([1, 2, 3, 4])));
  return 0;
}

/** Where a file system is mounted. */
export function placeOf(mount: Mount): string {
  return new Path(mount, mount.root).toString();
}

export const MEMORY_COMMANDS: readonly Builtin[] = [
  {
    name: "free",
    usage: "[-bkmh]",
    summary: "tell how much memory is used",
    run: free,
    details: "  in KiB; -b in bytes, -m in MiB, -h for people",
  },
  {
    name: "df",
    usage: "[-ah] [FILE…]",
    summary: "tell how full the file systems are",
    run: df,
    details: "  -a  those without blocks, too\n  -h  sizes for people",
  },
];
