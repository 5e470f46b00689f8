/** Chooses the fields of one instruction: sizes, prefixes, registers, memory operand, immediates. */

import { aimAt, chooseTarget, type Target } from "./address.ts";
import { DATA } from "./arena.ts";
import type { Draft } from "./draft.ts";
import { immediateBytes } from "./encode.ts";
import { memoryBytes, type RowPlan } from "./row-plan.ts";
import { fill, integer } from "./values.ts";

const RAX = 0;
const RDX = 2;
const OPERAND_SIZE_PREFIX = 0x66;
const LOCK_PREFIX = 0xf0;
/** FS, GS, address size. */
const ADDRESS_PREFIXES = [0x64, 0x65, 0x67];
/** ES, CS, SS, DS: without meaning in 64-bit mode. */
const NULL_SEGMENT_PREFIXES = [0x26, 0x2e, 0x36, 0x3e];

/** ES CS SS DS FS GS; CS cannot be loaded. */
const SEGMENTS = [0, 1, 2, 3, 4, 5];
const DATA_SEGMENTS = [0, 2, 3, 4, 5];

const pair = new Uint32Array(2);
const contents = new Uint8Array(64);

/** What {@link chooseFields} has decided beyond the fields. */
export interface Choice {
  /** Address of the memory operand, if there is one. */
  target: bigint | undefined;
  /** The memory operand may be patched. */
  isPatchable: boolean;
  bytes: number;
}

const choice: Choice = { target: undefined, isPatchable: false, bytes: 0 };

/** Fills in `draft.fields`. The result is valid until the next call. */
export function chooseFields(draft: Draft, plan: RowPlan): Choice {
  const { fields, random } = draft;
  const { row } = plan;
  fields.row = row;
  fields.prefixes.length = 0;
  fields.voidRex = 0;
  fields.opcodeRegister = 0;
  fields.addressSize = 64;
  choice.target = undefined;
  if (row.feature === "xsave") requestComponents(draft);
  chooseSizes(draft, plan);
  if (row.vex !== undefined) chooseVex(draft, plan);

  const opcodeOperand = row.operands.find((operand) => operand.source === "opcode");
  if (opcodeOperand !== undefined) {
    fields.opcodeRegister = draft.register(opcodeOperand.access !== undefined);
    if (row.rexB === 0) fields.opcodeRegister &= 7;
  }
  if (row.hasModrm) {
    fields.reg = draft.register(plan.reg?.access !== undefined && plan.reg.class === "gpr");
    if (plan.reg?.class === "segment") fields.reg = random.pick(plan.reg.access ? DATA_SEGMENTS : SEGMENTS);
    fields.rmIsRegister = plan.canBeRegister && (!plan.canBeMemory || random.chance(45));
    // Rows of 0F 0D: prefetches.
    if (fields.rmIsRegister && isPrefetch(plan) && draft.host.matters("prefetchRegister"))
      fields.rmIsRegister = false;
    if (fields.rmIsRegister) {
      const isGeneral = plan.rm?.class === "gprOrMem" || plan.rm?.class === "gpr";
      fields.rm = row.rm ?? draft.register(plan.rm?.access !== undefined && isGeneral);
    }
  }
  avoidHighBytes(draft, plan);
  if (row.hasModrm && !fields.rmIsRegister) chooseMemory(draft, plan);
  chooseImmediates(draft, plan);
  choosePrefixes(draft, plan);
  return choice;
}

/** MASKMOVQ and MASKMOVDQU have no ModRM memory operand, and yet an address. */
function hasNoAddress({ row }: RowPlan): boolean {
  return !row.mnemonic.includes("maskmov");
}

function isPrefetch({ row }: RowPlan): boolean {
  return row.map === "0f" && row.opcode === 0x0d;
}

/** XSAVE and XRSTOR of x87, SSE and AVX state, which EDX:EAX asks for: the host has more. No address contains these. */
function requestComponents(draft: Draft): void {
  const { random } = draft;
  draft.assign(RAX, (random.u64() & ~0xffff_ffffn) | BigInt(random.below(8)));
  draft.assign(RDX, random.u64() & ~0xffff_ffffn);
}

function chooseSizes(draft: Draft, { row, isSized, allows66, isBranch }: RowPlan): void {
  const { fields, random } = draft;
  let narrow = allows66 && random.chance(isSized ? 25 : 4);
  fields.rexW = row.rexW !== undefined ? row.rexW === 1 : random.chance(isSized ? 40 : 4);
  // Undefined: BSWAP of a 16-bit register, and SHLD and SHRD of one by more than 16, which CL may hold (SDM vol. 2).
  const isDoubleShift = row.mnemonic === "shld" || row.mnemonic === "shrd";
  if (row.mnemonic === "bswap" || (isDoubleShift && !draft.isSingle)) narrow = false;
  if (narrow && row.mnemonic === "movsxd" && draft.host.matters("extend16")) narrow = false;
  if (narrow && isBranch && draft.host.matters("nearBranch16")) narrow = false;
  if (fields.rexW && /^l[fgs]s$/.test(row.mnemonic) && draft.host.matters("farPointer64"))
    fields.rexW = false;
  if (narrow) fields.prefixes.push(OPERAND_SIZE_PREFIX);
  const is66 = narrow || row.prefix === "66";
  const wide = fields.rexW || row.size64 === "f64" || (row.size64 === "d64" && !is66);
  fields.operandSize = wide ? 64 : is66 ? 16 : 32;
  fields.rex = random.chance(12);
}

function chooseVex(draft: Draft, { row }: RowPlan): void {
  const { fields, random } = draft;
  const l = row.vex?.l;
  fields.vexL = l ?? (random.chance(50) ? 1 : 0);
  if (row.vex?.w !== undefined) fields.rexW = row.vex.w === 1;
  fields.operandSize = fields.rexW ? 64 : 32;
  fields.shortVex = random.chance(70);
  const operand = row.operands.find(({ source }) => source === "vvvv");
  fields.vvvv = 0;
  if (operand !== undefined)
    fields.vvvv = draft.register(operand.access !== undefined && operand.class === "gpr");
}

/** In sequences: AH…BH as destinations are parts of other registers than their numbers say. */
function avoidHighBytes(draft: Draft, plan: RowPlan): void {
  if (draft.isSingle) return;
  const { fields } = draft;
  for (const operand of plan.row.operands) {
    if (operand.size !== "b" || operand.access === undefined) continue;
    const register =
      operand.source === "reg" ? fields.reg : operand.source === "rm" ? fields.rm : fields.opcodeRegister;
    const owner = register & 3;
    if (register >= 4 && register < 8 && ((draft.reserved >> owner) & 1) !== 0) fields.rex = true;
  }
}

function chooseMemory(draft: Draft, plan: RowPlan): void {
  const { fields, random } = draft;
  const bytes = STATE_AREAS.get(plan.row.mnemonic) ?? memoryBytes(plan.rm, fields.operandSize, fields.vexL);
  const alignment =
    plan.row.feature === "xsave"
      ? 64
      : plan.row.aligned || STATE_AREAS.has(plan.row.mnemonic)
        ? bytes === 32
          ? 32
          : 16
        : 1;
  const risk = draft.isSingle ? 12 : 0.7;
  let target = recentTarget(draft, bytes, alignment) ?? chooseTarget(random, bytes, alignment, risk);
  if (plan.row.feature === "sha" && (target.address & 15n) !== 0n && draft.host.matters("shaAlignment"))
    target = { ...target, address: target.address & -16n };
  draft.mayLoadRegisters = random.chance(30);
  aimAt(random, target.address, fields, draft, draft.code.address);
  if (plan.row.feature === "sha" && !draft.isSingle && draft.host.matters("shaAlignment")) {
    fields.rmIsRegister = true;
    fields.rm = draft.register(false);
    return;
  }
  draft.recentTarget ??= target.address;
  choice.target = target.address;
  choice.isPatchable = target.writable && isData(target.address, bytes);
  choice.bytes = bytes;
  if (choice.isPatchable && bytes <= 64 && random.chance(80)) {
    fill(random, random.chance(85) ? plan.kind : "integer", contents, 0, bytes);
    patchMemory(draft, contents.subarray(0, bytes));
  }
}

/** Sizes of save areas. Processors access all of an XSAVE area of theirs, whatever is asked for: so much the host's has. */
const STATE_AREAS: ReadonlyMap<string, number> = new Map([
  ["fxsave", 512],
  ["fxsave64", 512],
  ["fxrstor", 512],
  ["fxrstor64", 512],
  ["xsave", 2816],
  ["xsave64", 2816],
  ["xrstor", 2816],
  ["xrstor64", 2816],
]);

/** In sequences operands often overlap one before: what was stored is loaded again, in other sizes. */
function recentTarget(draft: Draft, bytes: number, alignment: number): Target | undefined {
  const { random } = draft;
  const recent = draft.recentTarget;
  if (draft.isSingle || recent === undefined || !random.chance(30)) {
    draft.recentTarget = undefined;
    return undefined;
  }
  const shift = random.chance(50) ? 0 : random.between(-8, 8);
  const address = (recent + BigInt(shift)) & -BigInt(alignment);
  return isData(address, bytes) ? { address, writable: true } : undefined;
}

function isData(address: bigint, bytes: number): boolean {
  const start = Number(address);
  return start >= DATA.address && start + bytes <= DATA.address + DATA.size;
}

/** Replaces what the memory operand holds at the start of the case; nothing if it is not in writable memory. */
export function patchMemory(draft: Draft, bytes: Uint8Array): void {
  if (choice.target !== undefined && choice.isPatchable) draft.case.patch(Number(choice.target), bytes);
}

function chooseImmediates(draft: Draft, { row, immediate }: RowPlan): void {
  const { fields, random } = draft;
  integer(random, pair, 0);
  fields.immediateLow = pair[0];
  fields.immediateHigh = pair[1];
  fields.immediate2 = random.below(256);
  if (immediate !== undefined && immediateBytes(immediate.size, fields.operandSize) === 1) {
    if (random.chance(70)) fields.immediateLow = random.below(256);
  }
  if (row.operands.some((operand) => operand.source === "moffs")) {
    const moffs = row.operands.find((operand) => operand.source === "moffs");
    const bytes = memoryBytes(moffs, fields.operandSize);
    const target = chooseTarget(random, bytes, 1, draft.isSingle ? 12 : 0.7);
    if (random.chance(15) && target.address < 0x1_0000_0000n) {
      fields.prefixes.push(0x67);
      fields.addressSize = 32;
    }
    fields.immediateLow = Number(target.address & 0xffff_ffffn);
    fields.immediateHigh = Number(target.address >> 32n);
  }
}

function changesLoop({ host }: Draft, { mnemonic }: RowPlan["row"]): boolean {
  return /^loopn?e$/.test(mnemonic) && host.matters("repeatedLoop");
}

function choosePrefixes(draft: Draft, plan: RowPlan): void {
  const { fields, random } = draft;
  const { row } = plan;
  const { prefixes } = fields;
  const isMemory = row.hasModrm && !fields.rmIsRegister;
  if (row.lock === true && isMemory && random.chance(25)) prefixes.push(LOCK_PREFIX);
  if (row.rep !== undefined && random.chance(55)) {
    prefixes.push(row.rep === "repe/ne" ? random.pick([0xf2, 0xf3]) : 0xf3);
  } else if (plan.allowsRepeat && random.chance(2) && !changesLoop(draft, row)) {
    prefixes.push(random.pick([0xf2, 0xf3]));
  }
  if (random.chance(3)) prefixes.push(random.pick(NULL_SEGMENT_PREFIXES));
  // What an address-size or segment prefix means to the memory forms, register forms ignore.
  if (row.hasModrm && fields.rmIsRegister && prefixes.length === 0 && hasNoAddress(plan) && random.chance(3))
    prefixes.push(random.pick(ADDRESS_PREFIXES));
  if (prefixes.length > 1 && random.chance(50)) prefixes.reverse();
  // A prefix twice is no other than once. REX counts only in front of the opcode.
  if (prefixes.length > 0 && random.chance(2)) prefixes.push(prefixes[0]);
  const isFollowed = prefixes.length > 0 || (row.vex === undefined && (row.prefix ?? "np") !== "np");
  if (isFollowed && random.chance(2)) {
    fields.voidRex = 0x40 | random.below(16);
  }
}
