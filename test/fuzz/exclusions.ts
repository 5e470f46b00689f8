/** What the fuzzer does not generate, and why. `--report` prints this list. */

import type { OpcodeRow } from "../../cpu/decoder/instruction.ts";
import { toleranceOf } from "./tolerances.ts";

interface Exclusion {
  readonly mnemonics: string;
  /** Everywhere, or only where other instructions follow, or in some form that `why` names and preparations.ts avoids. */
  readonly from: "everywhere" | "sequences" | "forms";
  readonly why: string;
}

export const EXCLUSIONS: readonly Exclusion[] = [
  {
    mnemonics: "rdtsc rdtscp rdpmc rdrand rdseed rdpid cpuid xgetbv rdpkru",
    from: "everywhere",
    why: "the result is another on every processor or at every moment",
  },
  {
    mnemonics: "syscall sysenter sysexit sysret int1 iret",
    from: "everywhere",
    why: "belongs to the operating system",
  },
  {
    mnemonics:
      "hlt cli sti in out ins outs lldt ltr lgdt lidt lmsw invlpg clac stac xsetbv swapgs clts invd wbinvd wbnoinvd " +
      "wrmsr rdmsr rsm invpcid monitor mwait",
    from: "everywhere",
    why: "is privileged",
  },
  {
    mnemonics: "sldt str sgdt sidt smsw",
    from: "everywhere",
    why: "Linux answers for the processor (UMIP)",
  },
  {
    mnemonics: "callf jmpf retf",
    from: "everywhere",
    why: "goes to other code segments",
  },
  {
    mnemonics: "xsaveopt xsaveopt64 xsavec xsavec64 xsaves xsaves64 xrstors xrstors64",
    from: "everywhere",
    why: "what is saved depends on what the processor has seen",
  },
  {
    mnemonics: "int",
    from: "forms",
    why: "80 is a system call, and some kernels open 17 … 1B to user code (observed on a paravirtual one)",
  },
  {
    mnemonics: "xrstor xrstor64",
    from: "forms",
    why: "a compacted image is #GP to our processor, whose CPUID has no XSAVEC, and may be accepted by the host's",
  },
  { mnemonics: "int3", from: "everywhere", why: "it is the end of every case" },
  { mnemonics: "int ud0 ud1 ud2", from: "sequences", why: "always ends the sequence" },
  {
    mnemonics: "wrfsbase wrgsbase lfs lgs lss",
    from: "sequences",
    why: "moves the memory that later operands mean",
  },
  {
    mnemonics: "lar lsl verr verw",
    from: "sequences",
    why: "may name any descriptor of the host; only those of SELECTORS (preparations.ts) are the same everywhere",
  },
  {
    mnemonics:
      "rcpps rcpss rsqrtps rsqrtss vrcpps vrcpss vrsqrtps vrsqrtss f2xm1 fyl2x fyl2xp1 fptan fpatan fsin fcos fsincos",
    from: "sequences",
    why: "approximate: a tolerance applies to the result, not to what follows from it",
  },
  {
    mnemonics: "vpgatherdd vpgatherdq vpgatherqd vpgatherqq vgatherdps vgatherdpd vgatherqps vgatherqpd",
    from: "sequences",
    why: "its indices are vectors: nearly all of them lead nowhere",
  },
  {
    mnemonics: "fnstenv fnsave fxsave fxsave64 xsave xsave64",
    from: "sequences",
    why: "stores the addresses of the last x87 instruction and operand, which are not compared",
  },
  {
    mnemonics: "fldenv frstor fxrstor fxrstor64 xrstor xrstor64 ldmxcsr vldmxcsr fldcw",
    from: "sequences",
    why: "needs an image that it accepts, and unmasks exceptions that end the sequence",
  },
];

interface Reasons {
  readonly everywhere: ReadonlyMap<string, string>;
  readonly sequences: ReadonlyMap<string, string>;
}

function index(): Reasons {
  const everywhere = new Map<string, string>();
  const sequences = new Map<string, string>();
  for (const { mnemonics, from, why } of EXCLUSIONS) {
    if (from === "forms") continue;
    for (const mnemonic of mnemonics.split(" "))
      (from === "everywhere" ? everywhere : sequences).set(mnemonic, why);
  }
  return { everywhere, sequences };
}

const REASONS = index();

/** Why no case is generated for a row, or undefined if it is. */
export function exclusionOf(row: OpcodeRow, features: ReadonlySet<string>): string | undefined {
  if (row.mode === "not64") return "does not exist in 64-bit mode";
  if (row.feature !== undefined && !features.has(row.feature)) return `our processor has no ${row.feature}`;
  for (const operand of row.operands) {
    if (operand.class === "control" || operand.class === "debug") return "is a matter of privilege";
  }
  return REASONS.everywhere.get(row.mnemonic);
}

export function isExcludedFromSequences({ mnemonic, operands }: OpcodeRow): boolean {
  const loadsSegment = operands.some(
    (operand) => operand.class === "segment" && operand.access !== undefined,
  );
  return loadsSegment || REASONS.sequences.has(mnemonic) || toleranceOf(mnemonic) !== undefined;
}
