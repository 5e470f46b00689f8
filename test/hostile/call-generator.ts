/** Random system calls: the whole table, with arguments that are right, nearly right and absurd. */

import type { Thread } from "../../kernel/sched/thread.ts";
import type { ArgumentType, SyscallDefinition } from "../../kernel/syscalls/definition.ts";
import { SYSCALL_TABLE } from "../../kernel/syscalls/table.ts";
import type { Random } from "../fuzz/random.ts";
import { badPointer, integer, pageAddress, size } from "./call-values.ts";
import { DATA, DATA_SIZE } from "./guest.ts";
import { buildFor, buildName, type Surroundings } from "./guest-structures.ts";
import { fits, NAMES_FOR, OPENING_ADDRESS, openingCalls, usualValues } from "./usual-arguments.ts";

const PAGE_SIZE = 4096;
const AT_FDCWD = -100n;

/**
 * Calls that are made less often than their share, so that the others get their turn: of a hundred times that one is
 * drawn it is made so often. Nothing is left out altogether.
 */
export const SELDOM: Readonly<Record<string, { readonly percent: number; readonly why: string }>> = {
  exit: { percent: 10, why: "ends the thread" },
  exit_group: { percent: 5, why: "ends the program" },
  reboot: { percent: 30, why: "may switch the machine off" },
  kill: { percent: 30, why: "most signals end the program" },
  tkill: { percent: 30, why: "most signals end the program" },
  tgkill: { percent: 30, why: "most signals end the program" },
  rt_sigqueueinfo: { percent: 30, why: "most signals end the program" },
  rt_tgsigqueueinfo: { percent: 30, why: "most signals end the program" },
  rt_sigreturn: { percent: 20, why: "takes its registers from wherever the stack is" },
  clone: { percent: 30, why: "every new thread makes calls of its own" },
  clone3: { percent: 30, why: "every new thread makes calls of its own" },
  vfork: { percent: 30, why: "the caller waits for the child" },
  close_range: { percent: 20, why: "leaves no descriptors" },
  chroot: { percent: 20, why: "leaves no files" },
  umount2: { percent: 20, why: "leaves no /dev and /proc" },
};

/** ioctl(2) requests: of terminals (asm-generic/ioctls.h), and some that are not. */
const REQUESTS: readonly number[] = [
  ...Array.from({ length: 0x62 }, (_, index) => 0x5400 + index),
  ...[0x80045430, 0x40045431, 0x80045432, 0x80045438, 0x80045439, 0x5441, 0x541b, 0x5421, 0x5450, 0x5451],
  ...[0x4004667f, 0x12, 0x1260, 0x80081272, 0x8927, 0xc0045878, 0xffffffff],
];

export interface RandomCall {
  readonly number: bigint;
  readonly arguments: readonly bigint[];
}

export class CallGenerator implements Surroundings {
  private readonly calls: readonly SyscallDefinition[] = SYSCALL_TABLE.filter(
    ({ call }) => call !== undefined,
  );
  private readonly byNumber = new Map(SYSCALL_TABLE.map((definition) => [definition.number, definition]));
  private caller: Thread | undefined;
  private opening: RandomCall[] = [];
  private readonly numbers = new Map(SYSCALL_TABLE.map(({ name, number }) => [name, number]));

  constructor(readonly random: Random) {}

  /** A new program begins, with so many files. */
  begin(files: number): void {
    this.opening = openingCalls(DATA, files).map(({ name, arguments: values }) => ({
      number: BigInt(this.numbers.get(name) ?? -1),
      arguments: values.map(BigInt),
    }));
  }

  /** The next call of a thread. Writes what its arguments point to. */
  next(thread: Thread): RandomCall {
    const { random } = this;
    this.caller = thread;
    const opening = this.opening.shift();
    if (opening !== undefined) {
      this.put(DATA, OPENING_ADDRESS);
      return opening;
    }
    if (random.chance(4)) return { number: this.strangeNumber(), arguments: this.anyArguments(6) };
    const definition = this.draw();
    if (random.chance(5)) return { number: BigInt(definition.number), arguments: this.anyArguments(6) };
    const values = definition.arguments.map(([name, type]) => this.argument(definition.name, name, type));
    return {
      number: BigInt(definition.number),
      arguments: [...values, ...this.anyArguments(6 - values.length)],
    };
  }

  /** Name and arguments, for people. */
  describe({ number, arguments: values }: RandomCall): string {
    const definition = this.byNumber.get(Number(BigInt.asIntN(32, number)));
    const shown = values.map((value) => `0x${BigInt.asUintN(64, value).toString(16)}`);
    return `${definition?.name ?? `system call ${number}`}(${shown.slice(0, definition?.arguments.length ?? 6).join(", ")})`;
  }

  private draw(): SyscallDefinition {
    for (;;) {
      const definition = this.random.pick(this.calls);
      if (this.random.chance(SELDOM[definition.name]?.percent ?? 100)) return definition;
    }
  }

  private strangeNumber(): bigint {
    const { random } = this;
    switch (random.below(4)) {
      case 0:
        return integer(random);
      case 1:
        // The x32 ABI's bit.
        return BigInt(0x40000000 + random.below(512));
      default:
        return BigInt(random.below(640) - 64);
    }
  }

  private anyArguments(count: number): bigint[] {
    const { random } = this;
    return Array.from({ length: count }, () => {
      if (random.chance(40)) return integer(random);
      return random.chance(50) ? badPointer(random) : BigInt(DATA + random.below(DATA_SIZE));
    });
  }

  // --- What is there -----------------------------------------------------------------------------------------------

  descriptor(call = ""): number {
    const { random } = this;
    const open = [...(this.caller?.application.files.entries() ?? [])];
    if (open.length === 0 || random.chance(8)) return Number(BigInt.asIntN(32, integer(random)));
    const fitting = random.chance(80) ? open.filter(([, file]) => fits(call, file)) : [];
    return random.pick(fitting.length > 0 ? fitting : open)[0];
  }

  thread(): number {
    const { random } = this;
    const threads = this.caller?.kernel.threads;
    if (threads === undefined || threads.size === 0 || random.chance(20)) {
      return Number(BigInt.asIntN(32, integer(random)));
    }
    return random.pick([...threads.keys()]);
  }

  private process(): bigint {
    const { random } = this;
    const applications = this.caller?.kernel.applications;
    if (applications === undefined || applications.size === 0 || random.chance(40)) {
      return random.pick([0n, -1n, 1n, integer(random)]);
    }
    return BigInt(random.pick([...applications.keys()])) * (random.chance(10) ? -1n : 1n);
  }

  // --- Arguments ---------------------------------------------------------------------------------------------------

  private argument(call: string, name: string, type: ArgumentType): bigint {
    const { random } = this;
    const usual = usualValues(call, name);
    if (usual !== undefined && random.chance(75)) return BigInt(random.pick(usual));
    if (typeof type === "object") return "flags" in type ? this.flags(type.flags) : this.oneOf(type.oneOf);
    switch (type) {
      case "fd":
        return BigInt(this.descriptor(call));
      case "dirfd":
        return random.chance(50) ? AT_FDCWD : BigInt(this.descriptor("dirfd"));
      case "pid":
        return this.process();
      case "tid":
        return BigInt(this.thread());
      case "signal":
        return random.chance(80) ? BigInt(random.below(66)) : integer(random);
      case "size":
      case "uint":
        return size(random);
      case "mode":
        return random.chance(80) ? BigInt(random.below(0o10000)) : integer(random);
      case "address":
        return pageAddress(random);
      case "path":
        return this.pointTo(buildName(this, NAMES_FOR[call]));
      case "string":
        return this.pointTo(buildName(this, NAMES_FOR[name]));
      case "buffer":
      case "outbuffer":
      case "pointer":
        return this.pointTo(buildFor(call, name, this));
      case "hex":
        if (name === "request") return BigInt(random.pick(REQUESTS));
        return random.chance(50) ? integer(random) : this.pointTo(buildFor(call, name, this));
      case "int":
      case "long":
      case "offset":
        return random.chance(50) ? BigInt(random.below(16)) : integer(random);
    }
  }

  private flags(names: Readonly<Record<string, number>>): bigint {
    const { random } = this;
    if (random.chance(5)) return integer(random);
    const bits = Object.values(names);
    let value = 0n;
    for (let count = random.below(4); count > 0 && bits.length > 0; count--)
      value |= BigInt(random.pick(bits));
    return value;
  }

  private oneOf(names: Readonly<Record<string, number>>): bigint {
    const { random } = this;
    return random.chance(8) ? integer(random) : BigInt(random.pick(Object.values(names)));
  }

  /** Puts bytes somewhere: usually where they fit, sometimes over the end of a page, or of the memory. */
  private pointTo(contents: Uint8Array): bigint {
    const { random } = this;
    if (random.chance(12)) return badPointer(random);
    let address = DATA + 8 * random.below((DATA_SIZE - contents.length) / 8);
    const where = random.below(12);
    if (where === 0) address = DATA + DATA_SIZE - random.below(contents.length + 1);
    else if (where === 1)
      address = DATA + PAGE_SIZE * random.between(1, 8) - random.below(contents.length + 1);
    else if (where === 2) address += random.below(8);
    // Where futexes are, and what others have written.
    else if (where < 5) address = DATA + 8 * random.below(4);
    this.put(address, contents);
    return BigInt(address);
  }

  private put(address: number, contents: Uint8Array): void {
    const memory = this.caller?.memory;
    const length = Math.min(contents.length, DATA + DATA_SIZE - address);
    if (memory?.check(address, length, true)) memory.write(address, contents.subarray(0, length));
  }
}
