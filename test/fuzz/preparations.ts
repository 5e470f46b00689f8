/**
 * What single instructions need around them to do more than fault: a divisor that fits the dividend, a stack with a
 * return address, an image that LDMXCSR accepts. Each leaves some cases alone, so that the faults are tested too.
 */

import { Flag } from "../../cpu/state.ts";
import { YMM_COMPONENT } from "../../cpu/xsave.ts";
import { chooseTarget } from "./address.ts";
import { CODE, DATA, FS_BASE, GS_BASE, STACK } from "./arena.ts";
import { Fx } from "./case.ts";
import { type Choice, patchMemory } from "./choose.ts";
import type { Draft } from "./draft.ts";
import { NO_BASE, RIP_BASE } from "./encode.ts";
import { randomFcw, randomFlags, randomMxcsr } from "./initial-state.ts";
import { memoryBytes, type RowPlan } from "./row-plan.ts";
import { f80, fill } from "./values.ts";

const RAX = 0;
const RCX = 1;
const RDX = 2;
const RBX = 3;
const RSP = 4;
const RBP = 5;
const RSI = 6;
const RDI = 7;

/** Runs after the fields are chosen and before the instruction is emitted. */
export type Preparation = (draft: Draft, plan: RowPlan, choice: Choice) => void;

const word = new Uint8Array(8);
const wordView = new DataView(word.buffer);
const image = new Uint8Array(512);
const imageView = new DataView(image.buffer);

function bytesOf(value: bigint, count: number): Uint8Array {
  wordView.setBigUint64(0, BigInt.asUintN(64, value), true);
  return word.subarray(0, count);
}

/** A quotient and a divisor, from which the dividend follows. */
function division(draft: Draft, { row, rm }: RowPlan): void {
  const { random, fields } = draft;
  if (random.chance(20)) return;
  const bits = 8 * memoryBytes(rm, fields.operandSize);
  const isSigned = row.mnemonic === "idiv";
  const half = BigInt(random.between(1, bits));
  const cut = (value: bigint, width: bigint) =>
    isSigned ? BigInt.asIntN(Number(width), value) : BigInt.asUintN(Number(width), value);
  const divisor = cut(random.u64(), half) || 1n;
  const quotient = cut(random.u64(), BigInt(random.between(1, bits)));
  const magnitude = divisor < 0n ? -divisor : divisor;
  let remainder = random.u64() % magnitude;
  if (isSigned && quotient < 0n !== divisor < 0n) remainder = -remainder;
  const dividend = quotient * divisor + remainder;
  const low = bits === 8 ? BigInt.asUintN(16, dividend) : BigInt.asUintN(bits, dividend);
  const high = BigInt.asUintN(bits, dividend >> BigInt(bits));
  const above = random.u64() & ~((1n << BigInt(Math.max(16, bits))) - 1n);
  if (!fields.rmIsRegister) patchMemory(draft, bytesOf(divisor, bits / 8));
  else if (fields.rm !== RAX && fields.rm !== RDX)
    draft.assign(fields.rm, BigInt.asUintN(bits, divisor) | above);
  draft.assign(RAX, BigInt.asUintN(64, low | above));
  if (bits > 8) draft.assign(RDX, BigInt.asUintN(64, high | above));
}

/** A bit offset in a register reaches memory far from the operand (SDM vol. 2, BT). */
function bitOffset(draft: Draft, { reg }: RowPlan): void {
  const { random, fields } = draft;
  if (reg === undefined || fields.rmIsRegister || random.chance(5)) return;
  const offset = BigInt.asUintN(fields.operandSize, BigInt(random.between(-4000, 4000)));
  const above = fields.operandSize < 64 ? random.u64() << BigInt(fields.operandSize) : 0n;
  draft.assign(fields.reg, BigInt.asUintN(64, offset | above));
}

/** Shift counts in CL; more than 16 is undefined for SHLD and SHRD of 16 bits. */
function doubleShift(draft: Draft): void {
  const { random, fields } = draft;
  const limit = fields.operandSize === 16 ? 17 : 256;
  fields.immediateLow = random.below(limit);
  if (random.chance(60) || limit === 17) {
    const count = (random.u64() & ~0xffn) | BigInt(random.below(limit));
    if (!draft.assign(RCX, count) && limit === 17) fields.prefixes.length = 0;
  }
}

function count(draft: Draft): void {
  const { random } = draft;
  if (random.chance(50)) draft.assign(RCX, (random.u64() & ~0xffn) | BigInt(random.below(70)));
}

/** RSI and RDI to the data, a short count. */
function string(draft: Draft, plan: RowPlan): void {
  const { random, fields, case: initial } = draft;
  const size = memoryBytes(plan.row.operands[0], fields.operandSize);
  const repeats = fields.prefixes.includes(0xf2) || fields.prefixes.includes(0xf3);
  let narrow = random.chance(8);
  // In a sequence RCX may hold anything in a loop's second round.
  if (narrow && repeats && !draft.isSingle && draft.host.matters("repeatZero32")) narrow = false;
  if (narrow) {
    fields.prefixes.push(0x67);
    fields.addressSize = 32;
  }
  let length = random.chance(85) ? random.below(12) : random.below(600);
  if (narrow && repeats && length === 0 && draft.host.matters("repeatZero32")) length = 1;
  const reach = repeats ? Math.max(1, length) * size : size;
  const risk = draft.isSingle ? 8 : 1;
  const useSegment = draft.isSingle && random.chance(8);
  let source = chooseTarget(random, Math.min(reach, 4096), 1, risk).address;
  let destination = chooseTarget(random, Math.min(reach, 4096), 1, risk).address;
  if (random.chance(15)) destination = source + BigInt(random.between(-17, 17)); // overlap
  if (useSegment) {
    const isFs = random.chance(50);
    fields.prefixes.push(isFs ? 0x64 : 0x65);
    source = BigInt.asUintN(64, source - (isFs ? FS_BASE : GS_BASE));
  }
  const isBackward = draft.isSingle && (initial.rflags & Flag.DF) !== 0;
  if (isBackward && repeats) {
    source += BigInt(reach - size);
    destination += BigInt(reach - size);
  }
  const above = narrow ? BigInt(random.u32()) << 32n : 0n;
  draft.mayLoadRegisters = true;
  if (draft.isSingle || random.chance(80)) {
    draft.assign(RSI, BigInt.asUintN(narrow ? 32 : 64, source) | above);
    draft.assign(RDI, BigInt.asUintN(narrow ? 32 : 64, destination) | above);
  }
  if (repeats) draft.assign(RCX, BigInt(length) | above);
  if (draft.isSingle && random.chance(50)) equalStrings(draft, Number(source), Number(destination), reach);
}

/** The same bytes in both strings but for one, so that CMPS and SCAS go on. */
function equalStrings(draft: Draft, source: number, destination: number, length: number): void {
  const { random, case: initial } = draft;
  if (length > 256) return;
  const isInside = (start: number) => start >= DATA.address && start + length <= DATA.address + DATA.size;
  const bytes = image.subarray(0, length);
  bytes.fill(random.chance(50) ? Number(initial.gpr[RAX] & 0xffn) : random.below(256));
  if (isInside(source)) initial.patch(source, bytes);
  if (random.chance(70)) bytes[random.below(length)] ^= 1 << random.below(8);
  if (isInside(destination)) initial.patch(destination, bytes);
}

/** RSP somewhere in the stack, at times at its very end or misaligned. */
function stack(draft: Draft, plan: RowPlan): void {
  const { random } = draft;
  let address = STACK.address + 512 + 8 * random.below((STACK.size - 1024) / 8);
  if (random.chance(8)) address = STACK.address + random.pick([0, 2, 7, 8, 12, 16]);
  if (random.chance(8)) address = STACK.address + STACK.size - random.pick([0, 1, 2, 7, 8, 9, 16]);
  if (random.chance(10)) address += random.between(-7, 7);
  if (random.chance(1)) address = Number(random.pick([0x8000_0000_0004n, 0x7fff_ffff_fffcn]));
  const isSegment = plan.row.operands[0]?.class === "segment";
  if (isSegment && plan.row.mnemonic === "pop" && draft.host.has("popSegmentRead")) {
    const last = STACK.address + STACK.size - 8;
    if (address > last && draft.host.matters("popSegmentRead")) address = last;
  }
  draft.assign(RSP, BigInt(address));
  const top = Number(draft.valueOf(RSP) ?? 0n);
  const isPatchable = top >= STACK.address && top + 8 <= STACK.address + STACK.size;
  switch (plan.row.mnemonic) {
    case "enter":
      draft.fields.immediateLow = random.below(300);
      draft.fields.immediate2 = random.chance(70) ? random.below(3) : random.below(256);
      draft.assign(RBP, BigInt(STACK.address + 1024 + random.below(2048)));
      break;
    case "leave":
      if (random.chance(90)) draft.assign(RBP, BigInt(STACK.address + random.below(STACK.size)));
      break;
    case "ret":
      if (isPatchable && random.chance(85)) draft.case.patch(top, bytesOf(codeAddress(draft), 8));
      break;
    case "pop":
      // A segment register.
      if (isPatchable && plan.row.operands[0].class === "segment") {
        draft.case.patch(top, bytesOf(BigInt(random.pick(SELECTORS)), 2));
      }
      break;
    case "popf":
      // No alignment checks: they are not what user code does.
      if (isPatchable)
        draft.case.patch(top, bytesOf(BigInt(randomFlags(random) | (random.u32() & (Flag.ID | Flag.TF))), 8));
      else draft.case.gpr[RSP] = BigInt(STACK.address + STACK.size);
      break;
  }
}

function call(draft: Draft, plan: RowPlan): void {
  stack(draft, plan);
  nearBranch(draft, plan);
}

/** Where a jump may go: INT3 is everywhere in the code region. Rarely somewhere that faults. */
function codeAddress(draft: Draft): bigint {
  const { random, fields } = draft;
  // A CALL to a non-canonical address has written its return address on some processors before it raises #GP.
  const isCall = fields.row.mnemonic === "call";
  if (random.chance(5) && !isCall) return random.u64();
  if (random.chance(5)) return BigInt(DATA.address);
  return BigInt(CODE.address + 0x1c00 + random.below(0x400));
}

function nearBranch(draft: Draft, plan: RowPlan): void {
  const { random, fields } = draft;
  if (plan.row.operands.some(({ source }) => source === "rel")) {
    const near = random.chance(90) ? random.between(16, 0x7f) : random.between(-0x80, 0x7f);
    // Beyond the code region the fetch faults. Never back into the middle of the instruction itself.
    const reach = random.chance(80) ? random.between(16, 0xa00) : random.u32() | 0;
    fields.immediateLow = plan.row.operands[0].size === "b" ? near : reach;
    if (fields.immediateLow < 0 && fields.immediateLow > -32) fields.immediateLow = 16;
    fields.immediateHigh = fields.immediateLow >> 31;
    if (random.chance(70)) draft.assign(RCX, BigInt(random.below(3)));
  } else if (!fields.rmIsRegister) {
    patchMemory(draft, bytesOf(codeAddress(draft), 8));
  } else {
    draft.assign(fields.rm, codeAddress(draft));
  }
}

function translate(draft: Draft): void {
  const { random } = draft;
  const target = chooseTarget(random, 1, 1, draft.isSingle ? 12 : 0.7).address;
  const al = draft.case.gpr[RAX] & 0xffn;
  draft.mayLoadRegisters = true;
  draft.assign(RBX, BigInt.asUintN(64, target - al));
}

/** Whether bytes that the mask leaves out can fault, is up to the implementation (SDM vol. 2, MASKMOVDQU). */
function maskedMove(draft: Draft): void {
  draft.mayLoadRegisters = true;
  draft.assign(RDI, chooseTarget(draft.random, 16, 1, 0).address);
}

/** The indices of a gather lead into the data, as a rule; the base is where its operand was meant to be. */
function gather(draft: Draft, { row }: RowPlan): void {
  const { random, fields, case: initial } = draft;
  const distinct = [...Array(16).keys()];
  const take = () => distinct.splice(random.below(distinct.length), 1)[0];
  const { memory } = fields;
  memory.index = take();
  fields.reg = take();
  fields.vvvv = take();
  const view = new DataView(initial.bytes.buffer);
  const isQuad = /^v(p?)gatherq/.test(row.mnemonic);
  const half = (part: Uint8Array, at: number): void => {
    for (let byte = 0; byte < 16; byte += isQuad ? 8 : 4) {
      const index = random.chance(95) ? random.between(-400, 400) : random.u32() | 0;
      view.setInt32(part.byteOffset + at + byte, index, true);
      if (isQuad) view.setInt32(part.byteOffset + at + byte + 4, index >> 31, true);
    }
  };
  half(initial.fx, Fx.XMM + 16 * memory.index);
  half(initial.ymm, 16 * memory.index);
  if (memory.base === RIP_BASE) {
    memory.base = NO_BASE;
    memory.displacement = DATA.address + 0x2000;
  }
}

/** The comparison succeeds in half of the cases. */
function compareExchange(draft: Draft, { row, rm }: RowPlan, choice: Choice): void {
  const { random, fields, case: initial } = draft;
  if (random.chance(50)) return;
  if (row.mnemonic === "cmpxchg") {
    const bits = 8 * memoryBytes(rm, fields.operandSize);
    if (fields.rmIsRegister) {
      const above = random.u64() & ~((1n << BigInt(bits)) - 1n);
      const source = draft.valueOf(fields.rm) ?? initial.gpr[fields.rm];
      draft.assign(RAX, BigInt.asUintN(bits, source) | BigInt.asUintN(64, above));
    } else {
      patchMemory(draft, bytesOf(initial.gpr[RAX], bits / 8));
    }
    return;
  }
  const bytes = choice.bytes;
  for (let index = 0; index < bytes; index++) {
    const register = index < bytes / 2 ? RAX : RDX;
    image[index] = Number((initial.gpr[register] >> BigInt(8 * (index % (bytes / 2)))) & 0xffn);
  }
  patchMemory(draft, image.subarray(0, bytes));
}

/** String lengths around the element count (SDM vol. 2, 4.1). */
function explicitLengths(draft: Draft): void {
  const { random } = draft;
  for (const register of [RAX, RDX]) {
    if (random.chance(80)) draft.assign(register, BigInt.asUintN(64, BigInt(random.between(-18, 18))));
  }
}

function mxcsr(draft: Draft): void {
  const { random } = draft;
  if (random.chance(90)) patchMemory(draft, bytesOf(BigInt(randomMxcsr(random, 30)), 4));
}

function controlWord(draft: Draft): void {
  patchMemory(draft, bytesOf(BigInt(randomFcw(draft.random, 30)), 2));
}

/** A floating-point environment (SDM vol. 1, 8.1.10), followed by registers for FRSTOR. */
function environment(draft: Draft, plan: RowPlan): void {
  const { random, fields } = draft;
  const isNarrow = fields.operandSize === 16;
  const step = isNarrow ? 2 : 4;
  const fcw = randomFcw(random, 20);
  let fsw = random.u32() & 0x7f7f;
  if (random.chance(85)) fsw &= ~(~fcw & 0x3f);
  for (let index = 0; index < 128; index++) image[index] = random.below(256);
  imageView.setUint16(0, fcw, true);
  imageView.setUint16(step, fsw, true);
  imageView.setUint16(2 * step, random.u32() & 0xffff, true);
  const start = 7 * step;
  for (let index = 0; index < 8; index++) f80(random, image, start + 10 * index);
  patchMemory(draft, image.subarray(0, plan.row.mnemonic === "frstor" ? start + 80 : start));
}

/** An FXSAVE image (SDM vol. 1, 10.5.1). */
function fxImage(draft: Draft): void {
  const { random } = draft;
  const fcw = randomFcw(random, 20);
  const fsw = (random.u32() & 0x7f40) | (random.u32() & fcw & 0x3f);
  image.fill(0);
  imageView.setUint16(Fx.FCW, fcw, true);
  imageView.setUint16(Fx.FSW, fsw, true);
  image[Fx.FTW] = random.below(256);
  imageView.setUint32(Fx.MXCSR, random.chance(95) ? randomMxcsr(random, 20) : random.u32(), true);
  for (let index = 0; index < 8; index++) f80(random, image, Fx.ST + 16 * index);
  fill(random, "f64", image, Fx.XMM, 256);
  patchMemory(draft, image);
}

/** Byte of the header with XCOMP_BV[63], which says that an image is compacted (SDM vol. 1, 13.4.2): see exclusions.ts. */
const COMPACTED_AT = 15;

/** An XSAVE image in the standard format: an FXSAVE image and a header (SDM vol. 1, 13.4). */
function xsaveImage(draft: Draft, _: RowPlan, choice: Choice): void {
  const { random } = draft;
  fxImage(draft);
  const header = new Uint8Array(64);
  header[0] = random.below(8);
  if (random.chance(5)) header[random.between(8, 63)] = random.below(256);
  header[COMPACTED_AT] &= 0x7f;
  if (choice.target !== undefined && choice.isPatchable)
    draft.case.patch(Number(choice.target) + 512, header);
  fill(random, "integer", image, 0, 256);
  if (choice.target !== undefined && choice.isPatchable)
    draft.case.patch(Number(choice.target) + YMM_COMPONENT.offset, image.subarray(0, 256));
}

/** Selectors of Linux's user segments, null selectors, kernel segments, and one beyond the table; not the one whose
 * limit is the number of the host's processor. */
const SELECTORS = [0, 1, 2, 3, 0x10, 0x18, 0x28, 0x2b, 0x30, 0x33, 0xfff8];

function selector(draft: Draft): void {
  const { random, fields } = draft;
  const value = BigInt(random.pick(SELECTORS));
  if (fields.rmIsRegister) draft.assign(fields.rm, (random.u64() & ~0xffffn) | value);
  else patchMemory(draft, bytesOf(value, 2));
}

function farPointer(draft: Draft): void {
  const { random, fields } = draft;
  const offsetBytes = fields.operandSize / 8;
  image.set(bytesOf(random.u64(), offsetBytes));
  image.set(bytesOf(BigInt(random.pick(SELECTORS)), 2), offsetBytes);
  patchMemory(draft, image.subarray(0, offsetBytes + 2));
}

function segmentBase(draft: Draft): void {
  const { random, fields } = draft;
  if (random.chance(70)) draft.assign(fields.rm, BigInt.asUintN(64, BigInt.asIntN(48, random.u64())));
}

/** MOV to a segment register; the others need nothing. */
function move(draft: Draft, { reg }: RowPlan): void {
  if (reg?.class === "segment" && reg.access !== undefined) selector(draft);
}

/** Interrupts that an operating system may let user code make: see exclusions.ts. */
const OPEN_INTERRUPTS: ReadonlySet<number> = new Set([0x17, 0x18, 0x19, 0x1a, 0x1b, 0x80]);

function interrupt(draft: Draft): void {
  if (OPEN_INTERRUPTS.has(draft.fields.immediateLow & 0xff)) draft.fields.immediateLow = 0x81;
}

/** Puts a value made by a function into ST(i). */
function setSt(draft: Draft, index: number, exponent: number, high: number, low: number): void {
  const at = Fx.ST + 16 * index;
  const { view, fx } = draft.case;
  const offset = fx.byteOffset + at;
  view.setUint32(offset, low, true);
  view.setUint32(offset + 4, high, true);
  view.setUint16(offset + 8, exponent, true);
}

/** Arguments of transcendental instructions in the range where they are defined. */
function smallArgument(draft: Draft): void {
  const { random } = draft;
  if (random.chance(25)) return;
  const sign = random.chance(50) ? 0x8000 : 0;
  setSt(
    draft,
    0,
    sign | (0x3fff - random.between(1, random.chance(80) ? 6 : 70)),
    0x8000_0000 | random.u32(),
    random.u32(),
  );
}

/** Arguments of trigonometric instructions: moderate, seldom beyond 2^63. */
function angle(draft: Draft): void {
  const { random } = draft;
  if (random.chance(25)) return;
  const sign = random.chance(50) ? 0x8000 : 0;
  setSt(draft, 0, sign | (0x3fff + random.between(-40, 10)), 0x8000_0000 | random.u32(), random.u32());
}

/** FSCALE by a small integer or fraction. */
function scale(draft: Draft): void {
  const { random } = draft;
  if (random.chance(30)) return;
  const sign = random.chance(50) ? 0x8000 : 0;
  setSt(draft, 1, sign | (0x3fff + random.between(-2, 15)), 0x8000_0000 | random.u32(), random.u32());
}

/** FBSTP, FIST: numbers that mostly fit. */
function moderate(draft: Draft): void {
  const { random } = draft;
  if (random.chance(40)) return;
  const sign = random.chance(50) ? 0x8000 : 0;
  setSt(draft, 0, sign | (0x3fff + random.between(-3, 62)), 0x8000_0000 | random.u32(), random.u32());
}

/** By mnemonic. */
export const PREPARATIONS: ReadonlyMap<string, Preparation> = new Map<string, Preparation>(
  (
    [
      ["div idiv", division],
      ["bt bts btr btc", bitOffset],
      ["shld shrd", doubleShift],
      ["shl shr sar rol ror rcl rcr", count],
      ["movs cmps stos lods scas", string],
      ["push pop pushf popf enter leave ret", stack],
      ["call", call],
      ["jmp loop loope loopne jrcxz jo jno jb jae je jne jbe ja js jns jp jnp jl jge jle jg", nearBranch],
      ["xlat", translate],
      ["maskmovq maskmovdqu vmaskmovdqu", maskedMove],
      ["vpgatherdd vpgatherdq vpgatherqd vpgatherqq vgatherdps vgatherdpd vgatherqps vgatherqpd", gather],
      ["cmpxchg cmpxchg8b cmpxchg16b", compareExchange],
      ["pcmpestri pcmpestrm vpcmpestri vpcmpestrm", explicitLengths],
      ["ldmxcsr vldmxcsr", mxcsr],
      ["fldcw", controlWord],
      ["fldenv frstor", environment],
      ["fxrstor fxrstor64", fxImage],
      ["xrstor xrstor64", xsaveImage],
      ["lar lsl verr verw", selector],
      ["lss lfs lgs", farPointer],
      ["wrfsbase wrgsbase", segmentBase],
      ["mov", move],
      ["int", interrupt],
      ["f2xm1 fyl2xp1", smallArgument],
      ["fsin fcos fsincos fptan", angle],
      ["fscale", scale],
      ["fbstp fist fistp fisttp", moderate],
    ] as const
  ).flatMap(([names, prepare]) => names.split(" ").map((name): [string, Preparation] => [name, prepare])),
);
