/** The files of /proc about the whole machine (proc(5)). */

import type { Kernel } from "../../kernel.ts";
import { SYSTEM_NAME } from "../../syscalls/system.ts";
import { totalTime } from "./process-status.ts";

const PAGE_KB = 4;
/** Nanoseconds of a clock tick (USER_HZ = 100). */
const TICK = 1e7;

export function versionLine(): string {
  const { sysname, release, version } = SYSTEM_NAME;
  return `${sysname} version ${release} (osv@osv-vm) (TypeScript) ${version}\n`;
}

export function memoryText(kernel: Kernel): string {
  const { total, free } = kernel.space.frames;
  const lines: readonly (readonly [name: string, kB: number])[] = [
    ["MemTotal", total * PAGE_KB],
    ["MemFree", free * PAGE_KB],
    ["MemAvailable", free * PAGE_KB],
    ["Buffers", 0],
    ["Cached", 0],
    ["SwapCached", 0],
    ["Active", (total - free) * PAGE_KB],
    ["Inactive", 0],
    ["Active(anon)", (total - free) * PAGE_KB],
    ["Inactive(anon)", 0],
    ["Active(file)", 0],
    ["Inactive(file)", 0],
    ["Unevictable", 0],
    ["Mlocked", 0],
    ["SwapTotal", 0],
    ["SwapFree", 0],
    ["Dirty", 0],
    ["Writeback", 0],
    ["AnonPages", (total - free) * PAGE_KB],
    ["Mapped", 0],
    ["Shmem", 0],
    ["KReclaimable", 0],
    ["Slab", 0],
    ["SReclaimable", 0],
    ["SUnreclaim", 0],
    ["KernelStack", 0],
    ["PageTables", 0],
    ["CommitLimit", total * PAGE_KB],
    ["Committed_AS", (total - free) * PAGE_KB],
    ["VmallocTotal", 0],
    ["VmallocUsed", 0],
    ["VmallocChunk", 0],
    ["AnonHugePages", 0],
    ["HugePages_Total", -1],
    ["HugePages_Free", -1],
    ["HugePages_Rsvd", -1],
    ["HugePages_Surp", -1],
    ["Hugepagesize", 2048],
    ["Hugetlb", 0],
  ];
  return lines
    .map(([name, kB]) => {
      const label = `${name}:`.padEnd(16);
      // Huge pages are counted, not measured.
      return kB < 0 ? `${label}${"0".padStart(8)}\n` : `${label}${`${kB}`.padStart(8)} kB\n`;
    })
    .join("");
}

/** Seconds since boot and seconds idle. */
export function uptimeLine(kernel: Kernel): string {
  const now = kernel.host.clock.monotonic();
  const idle = Math.max(0, now - totalTime(kernel));
  return `${(now / 1e9).toFixed(2)} ${(idle / 1e9).toFixed(2)}\n`;
}

function processCounts(kernel: Kernel): { running: number; blocked: number; total: number } {
  return { running: Math.max(1, kernel.scheduler.runnable), blocked: 0, total: kernel.threads.size };
}

export function statText(kernel: Kernel): string {
  const now = kernel.host.clock.monotonic();
  const busy = totalTime(kernel);
  const user = Math.floor(busy / TICK);
  const idle = Math.max(0, Math.floor((now - busy) / TICK));
  const { seconds, nanoseconds } = kernel.host.clock.realtime();
  const boot = Math.floor(seconds + nanoseconds / 1e9 - now / 1e9);
  const { running, blocked } = processCounts(kernel);
  return (
    `cpu  ${user} 0 0 ${idle} 0 0 0 0 0 0\n` +
    `cpu0 ${user} 0 0 ${idle} 0 0 0 0 0 0\n` +
    "intr 0\n" +
    `ctxt ${kernel.scheduler.switches}\n` +
    `btime ${boot}\n` +
    `processes ${kernel.lifecycle.forks}\n` +
    `procs_running ${running}\n` +
    `procs_blocked ${blocked}\n` +
    "softirq 0 0 0 0 0 0 0 0 0 0 0\n"
  );
}

/** Load averages are not kept over time: what can run now stands for all three. */
export function loadLine(kernel: Kernel): string {
  const { running, total } = processCounts(kernel);
  const load = (running - 1).toFixed(2);
  let newest = 0;
  for (const pid of kernel.applications.keys()) newest = Math.max(newest, pid);
  return `${load} ${load} ${load} ${running}/${total} ${newest}\n`;
}

export function filesystemsText(kernel: Kernel): string {
  const types = new Set(kernel.mounts.mounts.map(({ fileSystem }) => fileSystem.type));
  for (const type of kernel.mounts.fileSystemTypes.keys()) types.add(type);
  return [...types].map((type) => `nodev\t${type}\n`).join("");
}

export function devicesText(kernel: Kernel): string {
  const lines = kernel.mounts.devices
    .list()
    .map(([major, name]) => `${`${major}`.padStart(3)} ${name.replace("/dev/", "")}\n`);
  return `Character devices:\n${lines.join("")}\nBlock devices:\n`;
}

/** What programs that look for memory pressure want to see. */
export function vmstatText(kernel: Kernel): string {
  const { total, free } = kernel.space.frames;
  return (
    `nr_free_pages ${free}\nnr_anon_pages ${total - free}\nnr_mapped 0\nnr_file_pages 0\nnr_dirty 0\nnr_writeback 0\n` +
    "pgpgin 0\npgpgout 0\npswpin 0\npswpout 0\npgfault 0\npgmajfault 0\noom_kill 0\n"
  );
}
