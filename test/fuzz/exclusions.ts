/** What the fuzzer does not generate, and why. `--report` prints this list. */

import type { OpcodeRow } from "../../cpu/decoder/instruction.ts";

interface Exclusion {
  readonly mnemonics: string;
  /** Everywhere, or only where other instructions follow. */
  readonly from: "everywhere" | "sequences";
  readonly why: string;
}

export const EXCLUSIONS: readonly Exclusion[] = [
  {
    mnemonics: "rdtsc rdtscp rdpmc rdrand rdseed rdpid cpuid xgetbv rdpkru",
    from: "everywhere",
    why: "the result is another on every processor or at every moment",
  },
  {
    mnemonics: "syscall sysenter sysexit sysret int int1 iret hlt cli sti in out ins outs",
    from: "everywhere",
    why: "belongs to the operating system or is a matter of privilege",
  },
  {
    mnemonics:
      "sldt str lldt ltr verr verw sgdt sidt lgdt lidt smsw lmsw invlpg clac stac xsetbv swapgs lar lsl clts invd " +
      "wbinvd wbnoinvd wrmsr rdmsr rsm invpcid invept invvpid wrpkru monitor mwait vmcall vmlaunch vmresume vmxoff " +
      "vmread vmwrite vmptrld vmptrst vmclear vmxon getsec getcap",
    from: "everywhere",
    why: "belongs to the operating system or reads the host's descriptor tables",
  },
  {
    mnemonics: "callf jmpf retf lss lfs lgs",
    from: "everywhere",
    why: "loads segment registers from the host's descriptor tables",
  },
  {
    mnemonics: "rdfsbase rdgsbase wrfsbase wrgsbase",
    from: "everywhere",
    why: "the bases of FS and GS are the harness's",
  },
  {
    mnemonics:
      "xsave xsave64 xsaveopt xsaveopt64 xsavec xsavec64 xsaves xsaves64 xrstor xrstor64 xrstors xrstors64",
    from: "everywhere",
    why: "the image has state components that only the host has",
  },
  { mnemonics: "int3", from: "everywhere", why: "it is the end of every case" },
  { mnemonics: "ud0 ud1 ud2", from: "sequences", why: "always ends the sequence" },
  {
    mnemonics: "rcpps rcpss rsqrtps rsqrtss f2xm1 fyl2x fyl2xp1 fptan fpatan fsin fcos fsincos",
    from: "sequences",
    why: "approximate: a tolerance applies to the result, not to what follows from it",
  },
  {
    mnemonics: "fnstenv fnsave fxsave fxsave64",
    from: "sequences",
    why: "stores the addresses of the last x87 instruction and operand, which are not compared",
  },
  {
    mnemonics: "fldenv frstor fxrstor fxrstor64 ldmxcsr fldcw",
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
    for (const mnemonic of mnemonics.split(" "))
      (from === "everywhere" ? everywhere : sequences).set(mnemonic, why);
  }
  return { everywhere, sequences };
}

const REASONS = index();

/** Why no case is generated for a row, or undefined if it is. */
export function exclusionOf(row: OpcodeRow, features: ReadonlySet<string>): string | undefined {
  if (row.mode === "not64") return "does not exist in 64-bit mode";
  if (row.vex !== undefined) return "VEX encodings come with x86-64-v3";
  if (row.feature !== undefined && !features.has(row.feature)) return `our processor has no ${row.feature}`;
  for (const operand of row.operands) {
    if (operand.class === "segment") return "loads or stores the host's segment selectors";
    if (operand.class === "control" || operand.class === "debug") return "is a matter of privilege";
  }
  return REASONS.everywhere.get(row.mnemonic);
}

export function isExcludedFromSequences(mnemonic: string): boolean {
  return REASONS.sequences.has(mnemonic);
}
