/**
 * The real kernel on the real interpreter, with all its own file systems, in a world without a host: files are in
 * memory, time and chance are made up and the same every time, the terminal is nobody.
 */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { InterpreterEngine } from "../../cpu/engines/interp/engine.ts";
import { InterpreterCode } from "../../cpu/engines/interp/parts.ts";
import { DevFs } from "../../kernel/fs/devfs.ts";
import { registerMemoryDevices } from "../../kernel/fs/memory-devices.ts";
import { ProcFs } from "../../kernel/fs/procfs/procfs.ts";
import { RamFs } from "../../kernel/fs/ramfs.ts";
import { SysFs } from "../../kernel/fs/sysfs.ts";
import type { Host, HostStream } from "../../kernel/host.ts";
import { openFifo } from "../../kernel/ipc/pipe.ts";
import { CpuMachine } from "../../kernel/mm/cpu-machine.ts";
import { OsvKernel } from "../../kernel/osv-kernel.ts";
import { openStandardFiles } from "../../kernel/tty/standard-files.ts";
import { TtyLayer } from "../../kernel/tty/tty-layer.ts";
import { FileMemory } from "../../kernel/vfs/file-memory.ts";
import type { FileSystem } from "../../kernel/vfs/inode.ts";
import { MountTable } from "../../kernel/vfs/mount-table.ts";
import type { OpenFile } from "../../kernel/vfs/open-file.ts";
import { isRegularInode, type RegularInode } from "../../kernel/vfs/regular-file.ts";
import { DIST } from "../../scripts/repository.ts";
import type { Random } from "../fuzz/random.ts";
import { EngineGate } from "./engine-gate.ts";
import { HurriedClock } from "./hurried-clock.ts";

/** What all RAM file systems together may hold at most: what a guest writes must not be what bounds the test. */
const FILE_SPACE = 8 << 20;

let compiled: InterpreterCode | undefined;

/** The built interpreter. */
function interpreter(): InterpreterCode {
  compiled ??= new InterpreterCode((part) => readFileSync(join(DIST, `interp-${part}.wasm`)));
  return compiled;
}

export interface HostileOptions {
  readonly ramSize: number;
  readonly random: Random;
  /** Gets one line per system call. */
  readonly trace?: (line: string) => void;
}

export class HostileSystem {
  readonly clock = new HurriedClock();
  readonly root: RamFs;
  readonly machine: CpuMachine;
  readonly gate: EngineGate;
  readonly kernel: OsvKernel;
  /** Bytes that programs wrote to standard output and error. */
  written = 0;
  /** What escaped from the kernel. */
  panic: unknown;
  private readonly terminals: TtyLayer;

  constructor({ ramSize, random, trace }: HostileOptions) {
    const { clock } = this;
    const output: HostStream = {
      isTerminal: false,
      write: (bytes) => {
        this.written += bytes.length;
      },
    };
    const host: Host = {
      clock,
      entropy: {
        fill: (bytes) => {
          for (let index = 0; index < bytes.length; index++) bytes[index] = random.u32();
        },
      },
      // Nothing ever comes, and no end either.
      stdin: { isTerminal: false, onData: () => undefined },
      stdout: output,
      stderr: output,
    };
    const memory = new FileMemory(FILE_SPACE);
    this.root = new RamFs(clock, { memory });
    const gates: EngineGate[] = [];
    this.machine = new CpuMachine({
      ramSize,
      clock,
      entropy: host.entropy,
      createEngine: (cpu) => {
        const gate = new EngineGate(new InterpreterEngine(cpu, interpreter(), { pairsAfter: 0 }), cpu);
        gates.push(gate);
        return gate;
      },
    });
    [this.gate] = gates;
    const mounts = new MountTable(this.root, clock);
    mounts.fileMemory = memory;
    const devices = new DevFs(clock);
    this.mount(mounts, "dev", devices, "devtmpfs");
    registerMemoryDevices(mounts.devices, host.entropy);
    mounts.openFifo = openFifo;
    this.kernel = new OsvKernel({
      host,
      machine: this.machine,
      mounts,
      ...(trace !== undefined && { traceSyscalls: trace }),
      onPanic: (error) => {
        this.panic ??= error;
      },
    });
    this.terminals = new TtyLayer(this.kernel, devices);
    const createProc = () =>
      new ProcFs(this.kernel, {
        terminalOf: (session) => this.terminals.controlling(session),
        commandLine: "hostile",
      });
    this.mount(mounts, "proc", createProc(), "proc");
    this.mount(mounts, "sys", new SysFs(clock), "sysfs");
    mounts.fileSystemTypes.set("tmpfs", () => new RamFs(clock, { type: "tmpfs", memory }));
    mounts.fileSystemTypes.set("proc", createProc);
    mounts.fileSystemTypes.set("sysfs", () => new SysFs(clock));
  }

  private mount(mounts: MountTable, name: string, fileSystem: FileSystem, source: string): void {
    this.root.root.mkdir(name, 0o755, 0, 0);
    mounts.mount(fileSystem, mounts.resolve(undefined, `/${name}`), { source });
  }

  /** Makes an empty file in the root. */
  file(name: string, mode: number): RegularInode {
    const file = this.root.root.create(name, mode, 0, 0, 0);
    if (!isRegularInode(file)) throw new Error(`${name} is not a regular file`);
    return file;
  }

  standardFiles(): [OpenFile, OpenFile, OpenFile] {
    return openStandardFiles(this.kernel, this.terminals);
  }

  /** Lets everything happen that can happen now. @throws what escaped from the kernel */
  async turn(): Promise<void> {
    await this.clock.yield();
    if (this.panic !== undefined) throw this.panic;
  }
}
