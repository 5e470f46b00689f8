/**
 * Sequences of instructions: flags and registers flow from one to the next, through branches, loops, calls and patched
 * code. Pointers live in registers that no instruction of the sequence names as its destination.
 */

import { Flag } from "../../cpu/state.ts";
import { DATA, STACK } from "./arena.ts";
import { chooseFields } from "./choose.ts";
import type { Draft } from "./draft.ts";
import { isExcludedFromSequences } from "./exclusions.ts";
import { PREPARATIONS } from "./preparations.ts";
import type { Random } from "./random.ts";
import { GROUPS, type Group, type RowPlan } from "./row-plan.ts";
import { Condition, flagEffect } from "./undefined.ts";

const RSP = 4;
const RBP = 5;
const RSI = 6;
const RDI = 7;
/** Registers with no implicit use. */
const POINTERS = [3, 8, 9, 10, 11, 12, 13];
/** Of a loop, and of one in it. */
const COUNTERS = [15, 14];
const ALL_CONDITIONS = Condition.C0 | Condition.C1 | Condition.C2 | Condition.C3;

/** Which instruction groups meet in a sequence, most often integers. */
const FLAVOURS: readonly (readonly Group[])[] = [
  ["int"],
  ["int"],
  ["int"],
  ["int", "int", "sse"],
  ["int", "sse"],
  ["sse"],
  ["int", "x87"],
  ["x87"],
  ["x87", "mmx"],
  ["int", "mmx", "sse"],
  ["sse", "crypto"],
  ["avx"],
  ["avx"],
  ["avx", "sse"],
  ["int", "avx"],
  GROUPS,
];

const EVERY_FLAG = ALL_CONDITIONS | Flag.CF | Flag.PF | Flag.AF | Flag.ZF | Flag.SF | Flag.OF;

const INT3 = 0xcc;
/** Longest code, so that it stays clear of the end of the region. */
const CODE_LIMIT = 700;

export class SequenceMaker {
  private readonly byGroup = new Map<Group, RowPlan[]>();
  private readonly flagReaders: RowPlan[] = [];
  private readonly conditionalJumps: RowPlan[] = [];
  private readonly comparisons: RowPlan[] = [];
  private flavour: readonly Group[] = GROUPS;
  /** Loops and functions around: there the stack stays as it is. */
  private depth = 0;
  /** Loops among those. */
  private loops = 0;

  constructor(plans: readonly RowPlan[]) {
    for (const plan of plans) {
      const { mnemonic } = plan.row;
      if (/^(j[^m]|loop)/.test(mnemonic)) this.conditionalJumps.push(plan);
      if (mnemonic === "cmp" || mnemonic === "test") this.comparisons.push(plan);
      if (plan.isBranch || mnemonic === "popf" || isExcludedFromSequences(plan.row)) continue;
      const group = this.byGroup.get(plan.group) ?? [];
      group.push(plan);
      this.byGroup.set(plan.group, group);
      if (flagEffect(mnemonic).reads !== 0 && plan.group === "int") this.flagReaders.push(plan);
    }
  }

  /** False if no instruction can stand in a sequence (`--only ret`). */
  get isPossible(): boolean {
    return this.byGroup.size > 0;
  }

  /** Appends about `length` instructions. */
  make(draft: Draft, length: number): void {
    const { random } = draft;
    this.prepareRegisters(draft);
    this.flavour = this.possibleFlavour(random);
    this.depth = 0;
    this.loops = 0;
    for (let count = 0; count < length && draft.code.length < CODE_LIMIT; count++) {
      const kind = random.below(100);
      if (kind < 78) this.instruction(draft);
      else if (kind < 86) this.forwardBranch(draft);
      else if (kind < 89) this.jump(draft);
      else if (kind < 93) this.loop(draft);
      else if (kind < 95) this.call(draft);
      else if (kind < 97) this.sharedFunction(draft);
      else if (kind < 98) this.patchedCode(draft);
      else if (kind < 99) this.patchedLoop(draft);
      else this.popFlags(draft);
    }
  }

  private possibleFlavour(random: Random): readonly Group[] {
    for (let tries = 0; tries < 20; tries++) {
      const flavour = random.pick(FLAVOURS);
      if (flavour.every((group) => this.byGroup.has(group))) return flavour;
    }
    return [...this.byGroup.keys()];
  }

  private prepareRegisters(draft: Draft): void {
    const { random } = draft;
    const pointer = () => BigInt(DATA.address + 0x800 + 8 * random.below(0x600));
    draft.setInitial(RSP, BigInt(STACK.address + 0x1000 + 8 * random.below(0x40)));
    draft.setInitial(RBP, BigInt(STACK.address + 0x1400 + 8 * random.below(0x40)));
    for (const register of [RSI, RDI]) draft.setInitial(register, pointer());
    // RBP, RSI and RDI only begin as pointers.
    draft.reserved = 1 << RSP;
    const first = random.below(POINTERS.length);
    for (let index = 0; index < 3; index++) {
      draft.setInitial(POINTERS[(first + index) % POINTERS.length], pointer());
    }
    for (const counter of COUNTERS) {
      draft.reserved |= 1 << counter;
      draft.forget(1 << counter);
    }
  }

  /** One instruction, after others that load registers for it. */
  private instruction(draft: Draft, among?: readonly RowPlan[]): void {
    const { random } = draft;
    for (let tries = 0; tries < 8; tries++) {
      const plan = among === undefined ? this.choosePlan(random) : random.pick(among);
      if (this.depth > 0 && plan.usesStack) continue;
      const choice = chooseFields(draft, plan);
      const prepare = PREPARATIONS.get(plan.row.mnemonic);
      draft.mayLoadRegisters = prepare !== undefined && random.chance(85);
      prepare?.(draft, plan, choice);
      if (plan.row.mnemonic === "enter") draft.fields.immediate2 &= 1;
      if (draft.append()) return;
    }
  }

  private choosePlan(random: Random): RowPlan {
    const group = random.pick(this.flavour);
    if (group === "int" && random.chance(25) && this.flagReaders.length > 0)
      return random.pick(this.flagReaders);
    return random.pick(this.byGroup.get(group) ?? []);
  }

  /** A conditional jump over an instruction or two, often behind a comparison. */
  private forwardBranch(draft: Draft): void {
    const { code, random } = draft;
    if (this.conditionalJumps.length === 0) return;
    if (this.comparisons.length > 0 && random.chance(60)) this.instruction(draft, this.comparisons);
    const plan = random.pick(this.conditionalJumps);
    if ((flagEffect(plan.row.mnemonic).reads & draft.undefinedFlags) !== 0) return;
    chooseFields(draft, plan);
    draft.fields.prefixes.length = 0;
    if (!draft.append()) return;
    const bytes = plan.row.operands[0].size === "b" ? 1 : 4;
    const from = code.length;
    const taken = draft.snapshot();
    this.body(draft, random.between(1, 3), 80);
    code.patch(from - bytes, code.length - from, bytes);
    draft.join(taken);
  }

  /** Instructions that do not touch the stack pointer or the way through the code. */
  private body(draft: Draft, count: number, limit: number): void {
    const end = draft.code.length + limit;
    this.depth++;
    for (let index = 0; index < count && draft.code.length < end; index++) this.instruction(draft);
    this.depth--;
  }

  /** The same with ways around, in a loop or a function. */
  private branchingBody(draft: Draft, count: number): void {
    const { code, random } = draft;
    this.depth++;
    for (let index = 0; index < count && code.length < CODE_LIMIT; index++) {
      const kind = random.below(100);
      if (kind < 75) this.instruction(draft);
      else if (kind < 88) this.forwardBranch(draft);
      else if (kind < 92) this.jump(draft);
      else if (kind < 96) this.loop(draft);
      else this.call(draft);
    }
    this.depth--;
  }

  /** A jump, direct, through a register or by a return, over bytes that are not to be executed. */
  private jump(draft: Draft): void {
    const { code, random } = draft;
    const skipped = random.below(20);
    const kind = random.below(100);
    if (kind < 40) {
      code.byte(0xeb);
      code.byte(skipped);
    } else if (kind < 60) {
      // LEA RAX … RDI, [rip + …]; PUSH; RET
      const register = this.freeRegister(draft);
      for (const byte of [0x48, 0x8d, (register << 3) | 5, skipped + 2, 0, 0, 0]) code.byte(byte);
      for (const byte of [0x50 | register, 0xc3]) code.byte(byte);
      draft.forget(1 << register);
    } else {
      const register = this.freeRegister(draft);
      draft.load(register, BigInt(code.address + 5 + 2 + skipped));
      code.byte(0xff);
      code.byte(0xe0 | register);
    }
    for (let index = 0; index < skipped; index++) code.byte(INT3);
  }

  /** One of RAX … RDI that has no purpose. */
  private freeRegister(draft: Draft): number {
    return draft.random.pick([0, 1, 2, 3, 5, 6, 7].filter((r) => ((draft.reserved >> r) & 1) === 0));
  }

  /** Some rounds, perhaps left early, perhaps with another loop inside. */
  private loop(draft: Draft): void {
    const { code, random } = draft;
    const counter = COUNTERS[this.loops];
    if (counter === undefined || code.length > CODE_LIMIT / 2) return;
    this.loops++;
    draft.load(counter, BigInt(random.between(1, this.loops > 1 ? 6 : 40)));
    // What the last round leaves holds at the head, too: only the reserved pointers stay known.
    draft.forget(0xffff & ~draft.reserved);
    const useDec = random.chance(40);
    draft.undefinedFlags |= ALL_CONDITIONS | (useDec ? Flag.CF : 0);
    const head = code.length;
    this.branchingBody(draft, random.between(1, 5));
    const leave = random.chance(25) ? this.leaveLoop(draft) : undefined;
    if (leave !== undefined) this.branchingBody(draft, random.between(1, 3));
    // DEC r32 or SUB r32, 1; JNZ head.
    for (const byte of useDec ? [0x41, 0xff, 0xc0 | counter] : [0x41, 0x83, 0xe0 | counter, 0x01])
      code.byte(byte);
    const defined = Flag.OF | Flag.SF | Flag.ZF | Flag.AF | Flag.PF;
    draft.undefinedFlags &= ~(useDec ? defined : defined | Flag.CF);
    if (code.length + 2 - head <= 128) {
      code.byte(0x75);
      code.byte(head - code.length - 1);
    } else {
      code.byte(0x0f);
      code.byte(0x85);
      code.value(head - code.length - 4, 0, 4);
    }
    if (leave !== undefined) {
      code.patch(leave.from - 4, code.length - leave.from, 4);
      draft.join(leave.state);
    }
    draft.forget(1 << counter);
    this.loops--;
  }

  /** A comparison and a conditional jump to a place that is not there yet: to be patched in front of `from`. */
  private leaveLoop(draft: Draft): { from: number; state: ReturnType<Draft["snapshot"]> } | undefined {
    const { code, random } = draft;
    const far = this.conditionalJumps.filter(({ row }) => row.operands[0].size !== "b");
    if (far.length === 0) return undefined;
    this.depth++;
    if (this.comparisons.length > 0) this.instruction(draft, this.comparisons);
    this.depth--;
    const plan = random.pick(far);
    if ((flagEffect(plan.row.mnemonic).reads & draft.undefinedFlags) !== 0) return undefined;
    chooseFields(draft, plan);
    draft.fields.prefixes.length = 0;
    if (!draft.append()) return undefined;
    return { from: code.length, state: draft.snapshot() };
  }

  /** CALL function; JMP end; function: …; RET; end: */
  private call(draft: Draft): void {
    const { code, random } = draft;
    if (code.length > CODE_LIMIT / 2) return;
    if (random.chance(60)) {
      code.byte(0xe8);
      code.value(5, 0, 4);
    } else {
      // CALL RAX … RDI but RSP.
      const register = this.freeRegister(draft);
      const length = 5 + 2;
      draft.load(register, BigInt(code.address + length + 5));
      code.byte(0xff);
      code.byte(0xd0 | register);
    }
    code.byte(0xe9);
    const jump = code.length;
    code.length += 4;
    this.branchingBody(draft, random.between(1, 4));
    code.byte(0xc3);
    code.patch(jump, code.length - jump - 4, 4);
  }

  /** JMP over; function: …; RET; over: CALL function; …; CALL function, from two places or more. */
  private sharedFunction(draft: Draft): void {
    const { code, random } = draft;
    code.byte(0xe9);
    const over = code.length;
    code.length += 4;
    const start = code.length;
    draft.forget(0xffff & ~draft.reserved);
    draft.undefinedFlags = EVERY_FLAG;
    this.branchingBody(draft, random.between(1, 4));
    code.byte(0xc3);
    code.patch(over, code.length - over - 4, 4);
    // Whatever held before a call, behind it holds what holds behind the function.
    const behind = draft.undefinedFlags;
    const calls = random.between(2, 4);
    for (let call = 0; call < calls; call++) {
      code.byte(0xe8);
      code.value(start - code.length - 4, 0, 4);
      draft.forget(0xffff & ~draft.reserved);
      draft.undefinedFlags = behind;
      this.body(draft, random.below(3), 60);
    }
  }

  /** MOV dword [rip + …], new; …; MOV r32, old: guests that write code run what they have written. */
  private patchedCode(draft: Draft): void {
    const { code, random } = draft;
    const isByte = random.chance(50);
    code.byte(isByte ? 0xc6 : 0xc7);
    code.byte(0x05);
    const displacement = code.length;
    code.length += 4;
    code.value(random.u32(), 0, isByte ? 1 : 4);
    const end = code.length;
    this.body(draft, random.below(3), 80);
    const register = draft.register(true);
    if (register >= 8) code.byte(0x41);
    code.byte(0xb8 | (register & 7));
    const immediate = code.length + (isByte ? random.below(4) : 0);
    code.value(random.u32(), 0, 4);
    code.patch(displacement, immediate - end, 4);
    draft.forget(1 << register);
  }

  /** head: MOV r32, imm; …; ADD dword [rip + …], step; SUB R15D, 1; JNZ head: each round patches the next. */
  private patchedLoop(draft: Draft): void {
    const { code, random } = draft;
    draft.load(COUNTERS[0], BigInt(random.between(2, 6)));
    draft.forget(0xffff & ~draft.reserved);
    draft.undefinedFlags |= ALL_CONDITIONS;
    const head = code.length;
    const register = draft.register(true);
    if (register >= 8) code.byte(0x41);
    code.byte(0xb8 | (register & 7));
    const immediate = code.length;
    code.value(random.u32(), 0, 4);
    draft.forget(1 << register);
    this.body(draft, random.below(3), 80);
    code.byte(0x83);
    code.byte(0x05);
    code.value(immediate - (code.length + 5), 0, 4);
    code.byte(random.between(1, 127));
    for (const byte of [0x41, 0x83, 0xef, 0x01, 0x0f, 0x85]) code.byte(byte);
    code.value(head - code.length - 4, 0, 4);
    draft.undefinedFlags &= ALL_CONDITIONS;
    draft.forget(1 << COUNTERS[0]);
  }

  /** PUSH imm; POPF */
  private popFlags(draft: Draft): void {
    const { code, random } = draft;
    const flags =
      Flag.CF | Flag.PF | Flag.AF | Flag.ZF | Flag.SF | Flag.OF | (random.chance(20) ? Flag.DF : 0);
    code.byte(0x68);
    code.value(random.u32() & flags, 0, 4);
    code.byte(0x9d);
    draft.undefinedFlags &= ~(flags | Flag.DF);
    draft.forget(1 << RSP);
  }
}
