/** /proc/pid/maps, smaps, cmdline and environ. */

import type { Kernel } from "../../kernel.ts";
import { describeMemory, describeVma } from "../../mm/describe.ts";
import { Prot, type Vma } from "../../mm/vma.ts";
import type { Application } from "../../sched/application.ts";
import { encodeName } from "../../vfs/names.ts";

const PAGE_KB = 4;

export function mapsText(kernel: Kernel, application: Application): string {
  return application.exitStatus === undefined ? describeMemory(kernel.space, application.image) : "";
}

function flagsOf(vma: Vma): string {
  const flags: string[] = [];
  if ((vma.prot & Prot.Read) !== 0) flags.push("rd");
  if ((vma.prot & Prot.Write) !== 0) flags.push("wr");
  if ((vma.prot & Prot.Exec) !== 0) flags.push("ex");
  if (vma.shared) flags.push("sh");
  flags.push("mr");
  if (vma.mayWrite) flags.push("mw");
  flags.push("me");
  if (vma.growsDown) flags.push("gd");
  return flags.map((flag) => `${flag} `).join("");
}

/** Sizes in KiB. What is shared with whom is not followed: pages count as private, and dirty where they may be written. */
interface Usage {
  size: number;
  resident: number;
  dirty: number;
  anonymous: number;
}

function usageOf(kernel: Kernel, vma: Vma): Usage {
  const resident = kernel.space.residentPages(vma) * PAGE_KB;
  return {
    size: (vma.end - vma.start) / 1024,
    resident,
    dirty: (vma.prot & Prot.Write) !== 0 ? resident : 0,
    anonymous: vma.file === undefined ? resident : 0,
  };
}

function usageLines({ size, resident, dirty, anonymous }: Usage, rollup: boolean): string {
  const line = (name: string, kB: number): string => `${`${name}:`.padEnd(16)}${`${kB}`.padStart(8)} kB\n`;
  return (
    (rollup ? "" : line("Size", size) + line("KernelPageSize", PAGE_KB) + line("MMUPageSize", PAGE_KB)) +
    line("Rss", resident) +
    line("Pss", resident) +
    line("Pss_Dirty", dirty) +
    line("Shared_Clean", 0) +
    line("Shared_Dirty", 0) +
    line("Private_Clean", resident - dirty) +
    line("Private_Dirty", dirty) +
    line("Referenced", resident) +
    line("Anonymous", anonymous) +
    line("LazyFree", 0) +
    line("AnonHugePages", 0) +
    line("ShmemPmdMapped", 0) +
    line("FilePmdMapped", 0) +
    line("Shared_Hugetlb", 0) +
    line("Private_Hugetlb", 0) +
    line("Swap", 0) +
    line("SwapPss", 0) +
    line("Locked", 0)
  );
}

export function smapsText(kernel: Kernel, { image, exitStatus }: Application): string {
  if (exitStatus !== undefined) return "";
  let text = "";
  for (const vma of kernel.space.areas) {
    if (vma.owner !== image && vma.owner !== undefined) continue;
    text += `${describeVma(vma)}\n${usageLines(usageOf(kernel, vma), false)}THPeligible:           0\nVmFlags: ${flagsOf(vma)}\n`;
  }
  return text;
}

export function smapsRollupText(kernel: Kernel, { image, exitStatus }: Application): string {
  if (exitStatus !== undefined) return "";
  const sum: Usage = { size: 0, resident: 0, dirty: 0, anonymous: 0 };
  let start = 0;
  let end = 0;
  for (const vma of kernel.space.areas) {
    if (vma.owner !== image) continue;
    if (start === 0) start = vma.start;
    end = vma.end;
    const usage = usageOf(kernel, vma);
    sum.resident += usage.resident;
    sum.dirty += usage.dirty;
    sum.anonymous += usage.anonymous;
  }
  const head = `${start.toString(16)}-${end.toString(16)} ---p 00000000 00:00 0 `.padEnd(73);
  return `${head}[rollup]\n${usageLines(sum, true)}`;
}

/** Text that a program may have changed in its memory, as setproctitle() does; what it was given if that is gone. */
function fromMemory(kernel: Kernel, start: number, end: number, given: readonly string[]): Uint8Array {
  if (end > start && kernel.memory.check(start, end - start, false))
    return kernel.memory.read(start, end - start);
  return encodeName(given.map((text) => `${text}\0`).join(""));
}

export function commandLine(kernel: Kernel, { image, argv, exitStatus }: Application): Uint8Array {
  if (image === undefined || exitStatus !== undefined) return new Uint8Array(0);
  return fromMemory(kernel, image.argStart, image.argEnd, argv);
}

export function environmentBytes(
  kernel: Kernel,
  { image, environment, exitStatus }: Application,
): Uint8Array {
  if (image === undefined || exitStatus !== undefined) return new Uint8Array(0);
  return fromMemory(kernel, image.environmentStart, image.environmentEnd, environment);
}
