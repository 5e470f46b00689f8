/**
 * What each instruction does with flags, and which of them it leaves *architecturally undefined* (Intel SDM vol. 1,
 * appendix A, table A-2, and the instruction's own page in vol. 2; for x87 condition codes the page's "FPU Flags Affected").
 *
 * Only undefined flags are masked in comparisons, and generated sequences never read one.
 */

import type { Instruction } from "../../cpu/decoder/instruction.ts";
import { Flag } from "../../cpu/state.ts";

/** Condition codes of the x87 status word, moved up so that they share a word with RFLAGS bits. */
export const STATUS_SHIFT = 16;
export const Condition = { C0: 1 << 24, C1: 1 << 25, C2: 1 << 26, C3: 1 << 30 } as const;

/** Bits of {@link Flag} and {@link Condition}. */
export interface FlagEffect {
  readonly reads: number;
  /** Bits with a defined value afterwards. */
  readonly writes: number;
  readonly undefined: number;
  /** The flags may also stay as they were (a count of zero): what was undefined before stays so. */
  readonly conditional: boolean;
}

const LETTERS: Readonly<Record<string, number>> = {
  O: Flag.OF,
  S: Flag.SF,
  Z: Flag.ZF,
  A: Flag.AF,
  P: Flag.PF,
  C: Flag.CF,
  D: Flag.DF,
  "0": Condition.C0,
  "1": Condition.C1,
  "2": Condition.C2,
  "3": Condition.C3,
};

/**
 * mnemonics | read | written | undefined; `*` in front: the flags may also stay unchanged.
 * Instructions that are not listed have nothing to do with flags. FCOMI and FCMOV clear C1 only on stack underflow,
 * whatever their pages say: silicon leaves it alone otherwise.
 */
const TABLE = `
add sub cmp neg xadd cmpxchg       |        | OSZAPC |
adc sbb                            | C      | OSZAPC |
inc dec                            |        | OSZAP  |
and or xor test                    |        | OSZPC  | A
*shl shr                           |        | SZPC   | OA
*sar                               |        | SZPC   | OA
*shld shrd                         |        | SZPC   | OA
*rol ror                           |        | C      | O
*rcl rcr                           | C      | C      | O
mul imul                           |        | OC     | SZAP
div idiv                           |        |        | OSZAPC
bsf bsr                            |        | Z      | OSAPC
tzcnt lzcnt                        |        | ZC     | OSAP
bt bts btr btc                     |        | C      | OSAP
popcnt rdrand rdseed ptest         |        | OSZAPC |
cmpxchg8b cmpxchg16b               |        | Z      |
lar lsl verr verw                  |        | Z      |
adcx                               | C      | C      |
adox                               | O      | O      |
clc stc                            |        | C      |
cmc                                | C      | C      |
cld std                            |        | D      |
sahf                               |        | SZAPC  |
lahf                               | SZAPC  |        |
pushf                              | OSZAPCD |       |
popf                               |        | OSZAPCD |
*cmps scas                         | D      | OSZAPC |
movs stos lods                     | D      |        |
seto setno cmovo cmovno jo jno     | O      |        |
setb setae cmovb cmovae jb jae     | C      |        |
sete setne cmove cmovne je jne     | Z      |        |
setbe seta cmovbe cmova jbe ja     | ZC     |        |
sets setns cmovs cmovns js jns     | S      |        |
setp setnp cmovp cmovnp jp jnp     | P      |        |
setl setge cmovl cmovge jl jge     | SO     |        |
setle setg cmovle cmovg jle jg     | SZO    |        |
loope loopne                       | Z      |        |
comiss comisd ucomiss ucomisd vcomiss vcomisd vucomiss vucomisd | | OSZAPC |
pcmpestri pcmpestrm pcmpistri pcmpistrm vpcmpestri vpcmpestrm vpcmpistri vpcmpistrm | | OSZAPC |
vptest vtestps vtestpd             |        | OSZAPC |
andn blsi blsr blsmsk bzhi         |        | OSZC   | AP
bextr                              |        | OZC    | SAP
fcomi fcomip fucomi fucomip        |        | OSZAPC |
fcmovb fcmovnb                     | C      |        | 023
fcmove fcmovne                     | Z      |        | 023
fcmovbe fcmovnbe                   | ZC     |        | 023
fcmovu fcmovnu                     | P      |        | 023
fadd faddp fiadd fsub fsubp fisub fsubr fsubrp fisubr fmul fmulp fimul |  | 1 | 023
fdiv fdivp fidiv fdivr fdivrp fidivr fsqrt frndint fscale fxtract      |  | 1 | 023
f2xm1 fyl2x fyl2xp1 fpatan                                             |  | 1 | 023
fld fst fstp fstpnce fild fist fistp fisttp fbld fbstp fxch fchs fabs  |  | 1 | 023
fld1 fldl2t fldl2e fldpi fldlg2 fldln2 fldz fdecstp fincstp            |  | 1 | 023
fcom fcomp fcompp fucom fucomp fucompp ficom ficomp ftst fxam          |  | 0123 |
fprem fprem1                       |        | 0123   |
fsin fcos fsincos fptan            |        | 12     | 03
fnstsw                             | 0123   |        | 0123
fnstenv                            | 0123   |        | 0123
fnsave                             | 0123   | 0123   |
fxsave fxsave64 xsave xsave64      | 0123   |        |
fninit fldenv frstor fxrstor fxrstor64 xrstor xrstor64 |  | 0123 |
ffree ffreep fldcw fnstcw fnclex fnop fwait            |  |  | 0123
`;

function bits(letters: string): number {
  let mask = 0;
  for (const letter of letters) mask |= LETTERS[letter];
  return mask;
}

const NONE: FlagEffect = { reads: 0, writes: 0, undefined: 0, conditional: false };

function parse(table: string): ReadonlyMap<string, FlagEffect> {
  const effects = new Map<string, FlagEffect>();
  for (const line of table.trim().split("\n")) {
    const [names, reads, writes, undefinedFlags = ""] = line.split("|").map((column) => column.trim());
    const effect = {
      reads: bits(reads),
      writes: bits(writes),
      undefined: bits(undefinedFlags),
      conditional: names.startsWith("*"),
    };
    for (const name of names.replace("*", "").split(" ")) effects.set(name, effect);
  }
  return effects;
}

const EFFECTS = parse(TABLE);

/** Without knowledge of operands: what may happen. */
export function flagEffect(mnemonic: string): FlagEffect {
  return EFFECTS.get(mnemonic) ?? NONE;
}

const SHIFTS = new Set(["shl", "shr", "sar", "shld", "shrd", "rol", "ror", "rcl", "rcr"]);

/**
 * What a decoded instruction does.
 * @param cl the value of CL, if known
 */
export function flagEffectOf(instruction: Instruction, cl: number | undefined): FlagEffect {
  const { row } = instruction;
  const effect = flagEffect(row.mnemonic);
  if (SHIFTS.has(row.mnemonic)) return shiftEffect(instruction, effect, shiftCount(instruction, cl));
  const repeats = instruction.rep || instruction.repne;
  if (effect.conditional && !repeats)
    return { ...effect, conditional: false, reads: effect.reads & ~Flag.ZF };
  return effect;
}

/** The count operand before masking; undefined if it is in CL and that is not known. */
function shiftCount({ row, immediateLow }: Instruction, cl: number | undefined): number | undefined {
  const count = row.operands[row.operands.length - 1];
  switch (count.source) {
    case "imm":
      return immediateLow;
    case "fixed":
      return count.class === "immediate" ? count.fixed : cl;
    default:
      return cl;
  }
}

/** SDM vol. 2, SAL/SAR/SHL/SHR, RCL/RCR/ROL/ROR, SHLD and SHRD, "Flags Affected". */
function shiftEffect(instruction: Instruction, worst: FlagEffect, operand: number | undefined): FlagEffect {
  const { row } = instruction;
  const bitsOfOperand = row.operands[0].size === "b" ? 8 : instruction.operandSize;
  const double = row.mnemonic === "shld" || row.mnemonic === "shrd";
  const logical = row.mnemonic === "shl" || row.mnemonic === "shr";
  if (operand === undefined) {
    const carry = (logical || double) && bitsOfOperand < 32 ? Flag.CF : 0;
    const rest = double && bitsOfOperand === 16 ? Flag.SF | Flag.ZF | Flag.PF : 0;
    const all = worst.undefined | carry | rest;
    return { ...worst, writes: worst.writes & ~all, undefined: all };
  }
  const count = operand & (bitsOfOperand === 64 ? 63 : 31);
  if (count === 0) return NONE;
  let mask = worst.undefined;
  // OF is defined for a count of 1.
  if (count === 1) mask &= ~Flag.OF;
  if (logical && count >= bitsOfOperand) mask |= Flag.CF;
  if (double && count > bitsOfOperand) mask |= Flag.CF | Flag.SF | Flag.ZF | Flag.PF | Flag.OF;
  const defined = (worst.writes | worst.undefined) & ~mask;
  return { reads: worst.reads, writes: defined, undefined: mask, conditional: false };
}

/** Undefined bits after an instruction, from those before it. */
export function undefinedAfter(before: number, effect: FlagEffect): number {
  const kept = effect.conditional ? before : before & ~effect.writes;
  return kept | effect.undefined;
}
