/** /proc (proc(5)): processes and the state of the kernel as files. */

import { ENOENT, Errno } from "../../errno.ts";
import type { Kernel } from "../../kernel.ts";
import type { Application } from "../../sched/application.ts";
import type { FileSystemStat, Timestamp } from "../../vfs/inode.ts";
import { allocateDevice } from "../device-numbers.ts";
import {
  fixedFile,
  type Generate,
  SyntheticDirectory,
  SyntheticFile,
  type SyntheticFileSystem,
  type SyntheticInode,
  SyntheticLink,
} from "./proc-inode.ts";
import { type ProcessContext, processDirectory } from "./process-directory.ts";
import type { SessionTerminal } from "./process-status.ts";
import { processorText } from "./processor.ts";
import { sysctlDirectory } from "./sysctl.ts";
import {
  devicesText,
  filesystemsText,
  loadLine,
  memoryText,
  statText,
  uptimeLine,
  versionLine,
  vmstatText,
} from "./system-files.ts";

/** PROC_SUPER_MAGIC (linux/magic.h) */
const PROC_SUPER_MAGIC = 0x9fa0;

export interface ProcFsOptions {
  /** The controlling terminal of a session. */
  readonly terminalOf?: (session: number) => SessionTerminal | undefined;
  /** /proc/cmdline */
  readonly commandLine?: string;
}

export class ProcFs implements SyntheticFileSystem {
  readonly type = "proc";
  readonly readOnly = false;
  readonly dev = allocateDevice();
  readonly created: Timestamp;
  readonly root: SyntheticDirectory;
  private ino = 0n;
  private readonly context: ProcessContext;
  private readonly processes = new WeakMap<Application, SyntheticDirectory>();

  constructor(
    private readonly kernel: Kernel,
    options: ProcFsOptions = {},
  ) {
    this.created = kernel.host.clock.realtime();
    this.context = { fileSystem: this, kernel, terminalOf: options.terminalOf ?? (() => undefined) };
    const fixed = this.systemEntries(options.commandLine ?? "");
    this.root = new SyntheticDirectory(this, {
      names: () => [
        ...fixed.keys(),
        ...[...kernel.applications.keys()].sort((a, b) => a - b).map((pid) => `${pid}`),
      ],
      find: (name) => fixed.get(name) ?? this.process(name),
    });
  }

  nextIno(): bigint {
    return ++this.ino;
  }

  statfs(): FileSystemStat {
    return {
      type: PROC_SUPER_MAGIC,
      blockSize: 4096,
      blocks: 0,
      freeBlocks: 0,
      files: 0,
      freeFiles: 0,
      nameLength: 255,
    };
  }

  sync(): void {}

  /** Processes by number; threads have directories too, which no listing shows. */
  private process(name: string): SyntheticDirectory | undefined {
    if (!/^[1-9]\d{0,9}$/.test(name)) return undefined;
    const id = Number(name);
    const application = this.kernel.applications.get(id) ?? this.kernel.threads.get(id)?.application;
    if (application === undefined) return undefined;
    let directory = this.processes.get(application);
    if (directory === undefined) {
      directory = processDirectory(this.context, application);
      this.processes.set(application, directory);
    }
    return directory;
  }

  private systemEntries(commandLine: string): Map<string, SyntheticInode> {
    const { kernel } = this;
    const file = (generate: Generate) => new SyntheticFile(this, generate);
    const self = new SyntheticLink(this, (thread) => {
      if (thread === undefined) throw new Errno(ENOENT);
      return `${thread.application.pid}`;
    });
    const threadSelf = new SyntheticLink(this, (thread) => {
      if (thread === undefined) throw new Errno(ENOENT);
      return `${thread.application.pid}/task/${thread.tid}`;
    });
    return new Map<string, SyntheticInode>([
      ["cgroups", fixedFile(this, "#subsys_name\thierarchy\tnum_cgroups\tenabled\n")],
      ["cmdline", fixedFile(this, `${commandLine}\n`)],
      ["cpuinfo", file(() => processorText(kernel.machine.cpu.model))],
      ["devices", file(() => devicesText(kernel))],
      ["diskstats", fixedFile(this, "")],
      ["filesystems", file(() => filesystemsText(kernel))],
      ["interrupts", fixedFile(this, "           CPU0       \n")],
      ["loadavg", file(() => loadLine(kernel))],
      ["meminfo", file(() => memoryText(kernel))],
      ["modules", fixedFile(this, "")],
      ["mounts", new SyntheticLink(this, () => "self/mounts")],
      ["net", new SyntheticLink(this, () => "self/net")],
      ["partitions", fixedFile(this, "major minor  #blocks  name\n\n")],
      ["self", self],
      ["stat", file(() => statText(kernel))],
      ["swaps", fixedFile(this, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n")],
      ["sys", sysctlDirectory(this, kernel)],
      ["thread-self", threadSelf],
      ["uptime", file(() => uptimeLine(kernel))],
      ["version", file(versionLine)],
      ["vmstat", file(() => vmstatText(kernel))],
    ]);
  }
}
