/**
 * The whole kernel with programs written as generators: they yield system calls and get their results, on a machine that
 * has no processor and in virtual time. What the kernel does to registers (restarting, signal handlers, clone) takes
 * effect as on the real one.
 */

import { Exit } from "../../cpu/engine.ts";
import { EXIT_BUDGET, Register } from "../../cpu/state.ts";
import { RamFs } from "../fs/ramfs.ts";
import type { Host, HostStream } from "../host.ts";
import { MemoryOwner } from "../mm/memory-owner.ts";
import { Prot } from "../mm/vma.ts";
import { OsvKernel } from "../osv-kernel.ts";
import type { Application } from "../sched/application.ts";
import { initialContext } from "../sched/context.ts";
import { Registers } from "../sched/registers.ts";
import type { Thread } from "../sched/thread.ts";
import { SYSCALL_TABLE } from "../syscalls/table.ts";
import { FileTable } from "../vfs/file-table.ts";
import { MountTable } from "../vfs/mount-table.ts";
import { createFakeMachine, type FakeMachine } from "./fake-machine.ts";
import { VirtualClock } from "./virtual-clock.ts";

/** A system call by name or number. For clone: the program that the child runs. */
export interface Call {
  readonly name: string | number;
  readonly args: readonly number[];
  readonly child?: Program;
}
export type Program = (thread: Thread) => Generator<Call, void, number>;

export function call(name: string | number, ...args: number[]): Call {
  return { name, args };
}
export function cloneCall(child: Program, flags: number, ...args: number[]): Call {
  return { name: "clone", args: [flags, ...args], child };
}

const NUMBERS = new Map(SYSCALL_TABLE.map(({ name, number }) => [name, number]));
/** Every system call is made here; handlers are at addresses of their own, which are multiples of 16. */
const SYSCALL_AT = 0x401001;
/** Two bytes of memory for programs to use, mapped writable. */
export const DATA = 0x500000;
const DATA_SIZE = 1 << 20;
const STACK_TOP = 0x700000;
const STACK_SIZE = 1 << 18;

interface Activity {
  readonly generator: Generator<Call, void, number>;
  started: boolean;
  readonly isHandler: boolean;
}

function activity(program: Program, thread: Thread, isHandler: boolean): Activity {
  return { generator: program(thread), started: false, isHandler };
}

function* nothing(): Generator<Call, void, number> {}

/** A program without system calls, that ends at once. */
export function plain(action: () => void): Program {
  return () => {
    action();
    return nothing();
  };
}

export class ScriptedKernel {
  readonly clock = new VirtualClock();
  readonly machine: FakeMachine;
  readonly kernel: OsvKernel;
  readonly log: string[] = [];
  readonly output: string[] = [];
  readonly trace: string[] = [];
  panic: unknown;
  /** What threads run that a program made without saying what they run. */
  orphanProgram: Program | undefined;
  private readonly activities = new Map<Thread, Activity[]>();
  private readonly newborn: Program[] = [];
  private readonly handlers = new Map<number, Program>();

  constructor(ramSize = 4 << 20) {
    const { clock } = this;
    const stream: HostStream = { isTerminal: false };
    const host: Host = {
      clock,
      entropy: { fill: (bytes) => void bytes.fill(7) },
      stdin: stream,
      stdout: stream,
      stderr: stream,
    };
    this.machine = createFakeMachine(ramSize);
    this.machine.engine.step = () => this.step();
    this.kernel = new OsvKernel({
      host,
      machine: this.machine,
      mounts: new MountTable(new RamFs(clock), clock),
      onLog: (line) => this.log.push(line),
      onDeath: (sentence) => this.output.push(sentence),
      traceSyscalls: (line) => this.trace.push(line),
      onPanic: (error) => {
        this.panic = error;
      },
    });
  }

  /** A new application with one thread that runs a program. */
  start(program: Program, parent?: Application): Application {
    const { kernel } = this;
    const { root } = kernel.mounts;
    const application = kernel.lifecycle.createApplication(parent, new FileTable(), root, root);
    application.name = "scripted";
    application.exitSignal = 17;
    const owner = new MemoryOwner("scripted");
    const attributes = {
      prot: Prot.Read | Prot.Write,
      shared: false,
      growsDown: false,
      growLimit: 0,
      mayWrite: true,
      file: undefined,
      name: "",
      owner,
    };
    if (kernel.space.isFree(DATA, DATA_SIZE)) kernel.space.map(DATA, DATA_SIZE, attributes);
    const top = STACK_TOP + application.pid * STACK_SIZE * 2;
    kernel.space.map(top - STACK_SIZE, STACK_SIZE, attributes);
    application.image = owner;
    const thread = kernel.lifecycle.createThread(application);
    kernel.scheduler.setContext(thread, initialContext(SYSCALL_AT + 2, top - 4096));
    this.activities.set(thread, [activity(program, thread, false)]);
    kernel.scheduler.enqueue(thread);
    return application;
  }

  /** Gives a signal handler an address. */
  handler(program: Program): number {
    const address = 0x600000 + this.handlers.size * 16;
    this.handlers.set(address, program);
    return address;
  }

  private step(): Exit {
    const thread = this.kernel.scheduler.current;
    if (thread === undefined) throw new Error("nobody runs");
    const registers = new Registers(this.machine.cpu.state);
    this.machine.cpu.state.setInt32(EXIT_BUDGET, 1000, true);
    let stack = this.activities.get(thread);
    if (stack === undefined) {
      const program = this.newborn.shift() ?? this.orphanProgram;
      if (program === undefined) throw new Error("a thread without a program");
      stack = [activity(program, thread, false)];
      this.activities.set(thread, stack);
    }
    const handler = this.handlers.get(registers.rip);
    if (handler !== undefined) stack.push(activity(handler, thread, true));
    // Going back over the instruction makes the same call again: its number is in RAX, its arguments are where they were.
    else if (registers.rip === SYSCALL_AT) return this.syscall(registers);
    const current = stack[stack.length - 1];
    const result = current.started
      ? current.generator.next(registers.get(Register.RAX))
      : current.generator.next();
    current.started = true;
    if (result.done === true) {
      stack.pop();
      if (current.isHandler) {
        // RET takes the restorer's address; the restorer calls rt_sigreturn.
        registers.set(Register.RSP, registers.get(Register.RSP) + 8);
        registers.set(Register.RAX, 15);
        return this.syscall(registers);
      }
      registers.set(Register.RAX, 60);
      registers.set(Register.RDI, 0);
      return this.syscall(registers);
    }
    const { name, args, child } = result.value;
    if (child !== undefined) this.newborn.push(child);
    const number = typeof name === "number" ? name : NUMBERS.get(name);
    if (number === undefined) throw new Error(`no system call ${name}`);
    registers.set(Register.RAX, number);
    for (const [index, register] of ARGUMENTS.entries()) registers.set(register, args[index] ?? 0);
    return this.syscall(registers);
  }

  private syscall(registers: Registers): Exit {
    registers.rip = SYSCALL_AT + 2;
    return Exit.Syscall;
  }

  /** Runs until nothing moves any more: no thread can run and no timer is set. */
  async settle(limit = 10_000): Promise<void> {
    for (let round = 0; round < limit; round++) {
      // Long chains of promises end within a turn of the event loop.
      await new Promise((resolve) => setImmediate(resolve));
      if (this.panic !== undefined) throw this.panic;
      if (this.kernel.scheduler.runnable === 0 && !this.clock.fireNext()) return;
    }
    throw new Error("does not come to rest");
  }
}

const ARGUMENTS = [Register.RDI, Register.RSI, Register.RDX, Register.R10, Register.R8, Register.R9];
