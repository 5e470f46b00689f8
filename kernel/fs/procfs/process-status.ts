/** /proc/pid/stat, statm, status and limits (proc(5); Linux: fs/proc/array.c, fs/proc/base.c). */

import type { Kernel } from "../../kernel.ts";
import { Prot, type Vma } from "../../mm/vma.ts";
import type { Application } from "../../sched/application.ts";
import { Limit, type ResourceLimit } from "../../sched/resource-limits.ts";
import { SIG_DFL, SIG_IGN } from "../../sched/signals.ts";
import type { Thread } from "../../sched/thread.ts";

const PAGE = 4096;
/** Nanoseconds of a clock tick (USER_HZ = 100). */
const TICK = 1e7;
/** All 41 capabilities (linux/capability.h, CAP_LAST_CAP = 40): the one user there is has every right. */
const ALL_CAPABILITIES = "000001ffffffffff";
/** PF_RANDOMIZE-free flags of an ordinary process, as Linux shows them. */
const PF_FLAGS = 4194304;

/** The controlling terminal of a session and who is in its foreground. */
export interface SessionTerminal {
  readonly rdev: number;
  readonly foreground: number | undefined;
}

/** One process, or one of its threads. */
export interface Subject {
  readonly kernel: Kernel;
  readonly application: Application;
  /** undefined: the whole process. */
  readonly thread: Thread | undefined;
  readonly terminal: SessionTerminal | undefined;
}

const ticks = (ns: number): number => Math.floor(ns / TICK);

function stateLetter({ application, thread }: Subject): "R" | "S" | "T" | "Z" {
  if (application.exitStatus !== undefined) return "Z";
  if (application.stopped) return "T";
  const threads = thread === undefined ? [...application.threads.values()] : [thread];
  return threads.some(({ state }) => state === "running" || state === "runnable") ? "R" : "S";
}

const STATE_NAMES = { R: "R (running)", S: "S (sleeping)", T: "T (stopped)", Z: "Z (zombie)" } as const;

export function nameOf({ application, thread }: Subject): string {
  const name = (thread ?? application.mainThread)?.name ?? "";
  return name !== "" ? name : application.name.slice(0, 15);
}

/** Processor time, ns. */
function timeOf({ kernel, application, thread }: Subject): number {
  const { current } = kernel.scheduler;
  if (current?.application === application) kernel.scheduler.chargeTime(current);
  if (thread !== undefined) return thread.cpuTime;
  let sum = application.deadThreadsTime;
  for (const { cpuTime } of application.threads.values()) sum += cpuTime;
  return sum;
}

/** Processor time of everything that ran, ns. */
export function totalTime(kernel: Kernel): number {
  let sum = 0;
  for (const application of kernel.applications.values()) {
    sum += timeOf({ kernel, application, thread: undefined, terminal: undefined });
    if (application.parent === undefined) sum += application.childrenTime;
  }
  return sum;
}

interface MemorySizes {
  virtual: number;
  resident: number;
  data: number;
  stack: number;
  code: number;
  libraries: number;
}

function memoryOf({ kernel, application }: Subject): MemorySizes {
  const { image } = application;
  const sizes = { virtual: 0, resident: 0, data: 0, stack: 0, code: 0, libraries: 0 };
  if (image === undefined || application.exitStatus !== undefined) return sizes;
  const { virtual, resident } = kernel.space.usage(image);
  const program = application.executablePath?.inode;
  for (const vma of kernel.space.areas) {
    if (vma.owner !== image) continue;
    const size = vma.end - vma.start;
    if (vma.name === "[stack]") sizes.stack += size;
    else if ((vma.prot & Prot.Exec) !== 0) {
      if (isOf(vma, program)) sizes.code += size;
      else sizes.libraries += size;
    } else if ((vma.prot & Prot.Write) !== 0 && !vma.shared) sizes.data += size;
  }
  return { ...sizes, virtual, resident };
}

function isOf(vma: Vma, program: unknown): boolean {
  return vma.file !== undefined && vma.file.inode === program;
}

/** Masks of the signals that are ignored and that are caught. */
function dispositions({ actions }: Application): { ignored: bigint; caught: bigint } {
  let ignored = 0n;
  let caught = 0n;
  for (const [signal, { handler }] of actions.entries()) {
    if (signal === 0 || handler === SIG_DFL) continue;
    if (handler === SIG_IGN) ignored |= 1n << BigInt(signal - 1);
    else caught |= 1n << BigInt(signal - 1);
  }
  return { ignored, caught };
}

/** The 52 fields of /proc/pid/stat; what is not kept here is 0. */
export function statLine(subject: Subject): string {
  const { application, terminal } = subject;
  const thread = subject.thread ?? application.mainThread;
  const memory = memoryOf(subject);
  const image = application.image;
  const { ignored, caught } = dispositions(application);
  // Fields 31 to 34 are 31-bit masks, of the first signals.
  const low = (mask: bigint): bigint => mask & 0x7fffffffn;
  const rssLimit = application.limits[Limit.RSS].soft;
  const { nice } = application;
  const fields: (number | bigint | string)[] = [
    subject.thread?.tid ?? application.pid,
    `(${nameOf(subject)})`,
    stateLetter(subject),
    application.parentPid,
    application.processGroup,
    application.session,
    terminal?.rdev ?? 0,
    terminal?.foreground ?? -1,
    PF_FLAGS,
    0,
    0,
    0,
    0, // minflt cminflt majflt cmajflt
    ticks(timeOf(subject)),
    0, // utime stime
    ticks(application.childrenTime),
    0, // cutime cstime
    20 + nice,
    nice,
    application.threads.size,
    0, // itrealvalue
    ticks(application.startTime),
    memory.virtual,
    memory.resident / PAGE,
    rssLimit === Number.POSITIVE_INFINITY ? 18446744073709551615n : rssLimit,
    image?.base ?? 0,
    (image?.base ?? 0) + memory.code, // startcode endcode
    image?.stackStart ?? 0,
    0,
    0, // kstkesp kstkeip
    low(thread?.pending.set ?? 0n),
    low(thread?.signalMask ?? 0n),
    low(ignored),
    low(caught),
    0,
    0,
    0, // wchan nswap cnswap
    application.exitSignal,
    0,
    0,
    0,
    0,
    0,
    0, // processor rt_priority policy delayacct_blkio_ticks guest_time cguest_time
    0,
    0, // start_data end_data
    image?.brkStart ?? 0,
    image?.argStart ?? 0,
    image?.argEnd ?? 0,
    image?.environmentStart ?? 0,
    image?.environmentEnd ?? 0,
    application.exitStatus ?? 0,
  ];
  return `${fields.join(" ")}\n`;
}

/** Sizes in pages: total, resident, shared, text, lib, data, dirty. */
export function statmLine(subject: Subject): string {
  const { virtual, resident, code, libraries, data, stack } = memoryOf(subject);
  const pages = (bytes: number): number => Math.ceil(bytes / PAGE);
  return `${pages(virtual)} ${pages(resident)} 0 ${pages(code + libraries)} 0 ${pages(data + stack)} 0\n`;
}

export function statusText(subject: Subject): string {
  const { application } = subject;
  const thread = subject.thread ?? application.mainThread;
  const { uid, gid, groups } = application.credentials;
  const ids = ([real, effective, saved]: [number, number, number]): string =>
    `${real}\t${effective}\t${saved}\t${effective}`;
  const id = subject.thread?.tid ?? application.pid;
  const { ignored, caught } = dispositions(application);
  const mask = (value: bigint): string => value.toString(16).padStart(16, "0");
  const pendingLimit = application.limits[Limit.SIGPENDING].soft;
  const lines: [name: string, value: string | number][] = [
    ["Name", nameOf(subject)],
    ["Umask", application.umask.toString(8).padStart(4, "0")],
    ["State", STATE_NAMES[stateLetter(subject)]],
    ["Tgid", application.pid],
    ["Ngid", 0],
    ["Pid", id],
    ["PPid", application.parentPid],
    ["TracerPid", 0],
    ["Uid", ids(uid)],
    ["Gid", ids(gid)],
    ["FDSize", Math.max(64, 2 ** Math.ceil(Math.log2(Math.max(1, application.files.size))))],
    ["Groups", groups.map((group) => `${group} `).join("") || " "],
    ["NStgid", application.pid],
    ["NSpid", id],
    ["NSpgid", application.processGroup],
    ["NSsid", application.session],
  ];
  if (application.exitStatus === undefined) {
    const memory = memoryOf(subject);
    const kB = (bytes: number): string => `${`${Math.ceil(bytes / 1024)}`.padStart(8)} kB`;
    lines.push(
      ["VmPeak", kB(memory.virtual)],
      ["VmSize", kB(memory.virtual)],
      ["VmLck", kB(0)],
      ["VmPin", kB(0)],
      ["VmHWM", kB(memory.resident)],
      ["VmRSS", kB(memory.resident)],
      ["RssAnon", kB(memory.resident)],
      ["RssFile", kB(0)],
      ["RssShmem", kB(0)],
      ["VmData", kB(memory.data)],
      ["VmStk", kB(memory.stack)],
      ["VmExe", kB(memory.code)],
      ["VmLib", kB(memory.libraries)],
      ["VmPTE", kB(0)],
      ["VmSwap", kB(0)],
      ["HugetlbPages", kB(0)],
      ["CoreDumping", 0],
      ["THP_enabled", 0],
    );
  }
  lines.push(
    ["Threads", application.threads.size],
    ["SigQ", `0/${pendingLimit}`],
    ["SigPnd", mask(thread?.pending.set ?? 0n)],
    ["ShdPnd", mask(application.pending.set)],
    ["SigBlk", mask(thread?.signalMask ?? 0n)],
    ["SigIgn", mask(ignored)],
    ["SigCgt", mask(caught)],
    ["CapInh", mask(0n)],
    ["CapPrm", ALL_CAPABILITIES],
    ["CapEff", ALL_CAPABILITIES],
    ["CapBnd", ALL_CAPABILITIES],
    ["CapAmb", mask(0n)],
    ["NoNewPrivs", 0],
    ["Seccomp", 0],
    ["Seccomp_filters", 0],
    ["Speculation_Store_Bypass", "not vulnerable"],
    ["Cpus_allowed", 1],
    ["Cpus_allowed_list", 0],
    ["Mems_allowed", 1],
    ["Mems_allowed_list", 0],
    ["voluntary_ctxt_switches", thread?.voluntarySwitches ?? 0],
    ["nonvoluntary_ctxt_switches", thread?.involuntarySwitches ?? 0],
  );
  return lines.map(([name, value]) => `${name}:\t${value}\n`).join("");
}

const LIMITS: readonly (readonly [number: number, name: string, unit: string])[] = [
  [Limit.CPU, "Max cpu time", "seconds"],
  [Limit.FSIZE, "Max file size", "bytes"],
  [Limit.DATA, "Max data size", "bytes"],
  [Limit.STACK, "Max stack size", "bytes"],
  [Limit.CORE, "Max core file size", "bytes"],
  [Limit.RSS, "Max resident set", "bytes"],
  [Limit.NPROC, "Max processes", "processes"],
  [Limit.NOFILE, "Max open files", "files"],
  [Limit.MEMLOCK, "Max locked memory", "bytes"],
  [Limit.AS, "Max address space", "bytes"],
  [Limit.LOCKS, "Max file locks", "locks"],
  [Limit.SIGPENDING, "Max pending signals", "signals"],
  [Limit.MSGQUEUE, "Max msgqueue size", "bytes"],
  [Limit.NICE, "Max nice priority", ""],
  [Limit.RTPRIO, "Max realtime priority", ""],
  [Limit.RTTIME, "Max realtime timeout", "us"],
];

export function limitsText({ limits }: Application): string {
  const row = (name: string, soft: string, hard: string, unit: string): string =>
    `${name.padEnd(25)} ${soft.padEnd(20)} ${hard.padEnd(20)} ${unit.padEnd(10)}\n`;
  const value = (limit: number): string => (limit === Number.POSITIVE_INFINITY ? "unlimited" : `${limit}`);
  return LIMITS.reduce(
    (text, [number, name, unit]) => {
      const { soft, hard }: ResourceLimit = limits[number];
      return text + row(name, value(soft), value(hard), unit);
    },
    row("Limit", "Soft Limit", "Hard Limit", "Units"),
  );
}
