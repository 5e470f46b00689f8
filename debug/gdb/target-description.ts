/**
 * The registers as gdb gets to know them: a target description (appendix G) with the features that gdb knows for i386, and
 * one of our own for control registers.
 */

import {
  AVX_REGISTERS,
  CORE_REGISTERS,
  type RegisterSpec,
  SEGMENT_BASE_REGISTERS,
  SSE_REGISTERS,
  SYSTEM_REGISTERS,
} from "../registers.ts";
import type { Target } from "../target.ts";

interface Feature {
  readonly name: string;
  readonly registers: readonly RegisterSpec[];
  readonly types?: string;
}

/** Linux' programs: the number of the system call, for gdb's idea of restarting it; there is none. */
const ORIG_RAX: RegisterSpec = {
  name: "orig_rax",
  bits: 64,
  group: "system",
  read: () => 0xffffffffffffffffn,
  write: () => true,
};

function flagsType(
  id: string,
  size: number,
  fields: readonly (readonly [name: string, first: number, last?: number])[],
) {
  const list = fields
    .map(([name, first, last]) => `<field name="${name}" start="${first}" end="${last ?? first}"/>`)
    .join("");
  return `<flags id="${id}" size="${size}">${list}</flags>`;
}

const EFLAGS_TYPE = flagsType("i386_eflags", 4, [
  ["", 22, 31],
  ["CF", 0],
  ["", 1],
  ["PF", 2],
  ["AF", 4],
  ["ZF", 6],
  ["SF", 7],
  ["TF", 8],
  ["IF", 9],
  ["DF", 10],
  ["OF", 11],
  ["NT", 14],
  ["RF", 16],
  ["VM", 17],
  ["AC", 18],
  ["VIF", 19],
  ["VIP", 20],
  ["ID", 21],
]);
const MXCSR_TYPE = flagsType(
  "i386_mxcsr",
  4,
  ["IE", "DE", "ZE", "OE", "UE", "PE", "DAZ", "IM", "DM", "ZM", "OM", "UM", "PM"]
    .map((name, bit) => [name, bit] as const)
    .concat([["FZ", 15]]),
);
/** SDM vol. 3, 2.5 and 2.2.1. */
const CONTROL_TYPES = [
  flagsType("cr0_flags", 8, [
    ["PE", 0],
    ["MP", 1],
    ["EM", 2],
    ["TS", 3],
    ["ET", 4],
    ["NE", 5],
    ["WP", 16],
    ["AM", 18],
    ["NW", 29],
    ["CD", 30],
    ["PG", 31],
  ]),
  flagsType("cr4_flags", 8, [
    ["VME", 0],
    ["PVI", 1],
    ["TSD", 2],
    ["DE", 3],
    ["PSE", 4],
    ["PAE", 5],
    ["MCE", 6],
    ["PGE", 7],
    ["PCE", 8],
    ["OSFXSR", 9],
    ["OSXMMEXCPT", 10],
    ["UMIP", 11],
    ["FSGSBASE", 16],
    ["PCIDE", 17],
    ["OSXSAVE", 18],
    ["SMEP", 20],
    ["SMAP", 21],
  ]),
  flagsType("efer_flags", 8, [
    ["SCE", 0],
    ["LME", 8],
    ["LMA", 10],
    ["NXE", 11],
  ]),
].join("");
const SSE_TYPES = [
  '<vector id="v4f" type="ieee_single" count="4"/>',
  '<vector id="v2d" type="ieee_double" count="2"/>',
  '<vector id="v16i8" type="int8" count="16"/>',
  '<vector id="v8i16" type="int16" count="8"/>',
  '<vector id="v4i32" type="int32" count="4"/>',
  '<vector id="v2i64" type="int64" count="2"/>',
  '<union id="vec128"><field name="v4_float" type="v4f"/><field name="v2_double" type="v2d"/>',
  '<field name="v16_int8" type="v16i8"/><field name="v8_int16" type="v8i16"/><field name="v4_int32" type="v4i32"/>',
  '<field name="v2_int64" type="v2i64"/><field name="uint128" type="uint128"/></union>',
].join("");

function featuresOf(target: Target): readonly Feature[] {
  const base: Feature[] = [
    { name: "org.gnu.gdb.i386.core", registers: CORE_REGISTERS, types: EFLAGS_TYPE },
    { name: "org.gnu.gdb.i386.sse", registers: SSE_REGISTERS, types: SSE_TYPES + MXCSR_TYPE },
    { name: "org.gnu.gdb.i386.segments", registers: SEGMENT_BASE_REGISTERS },
    { name: "org.gnu.gdb.i386.avx", registers: AVX_REGISTERS },
  ];
  return target.kind === "machine"
    ? [...base, { name: "org.osv-vm.i386.control", registers: SYSTEM_REGISTERS, types: CONTROL_TYPES }]
    : [...base, { name: "org.gnu.gdb.i386.linux", registers: [ORIG_RAX] }];
}

function typeOf({ name, bits, group }: RegisterSpec): string {
  switch (name) {
    case "rip":
      return 'type="code_ptr"';
    case "rsp":
    case "rbp":
      return 'type="data_ptr"';
    case "eflags":
      return 'type="i386_eflags"';
    case "mxcsr":
      return 'type="i386_mxcsr" group="vector"';
    case "cr0":
    case "cr4":
    case "efer":
      return `type="${name}_flags" group="system"`;
  }
  if (group === "x87") return bits === 80 ? 'type="i387_ext"' : 'type="int" group="float"';
  if (group === "sse") return 'type="vec128"';
  if (group === "avx") return 'type="uint128"';
  return `type="${bits === 32 ? "int32" : "int64"}"${group === "system" ? ' group="system"' : ""}`;
}

/** Registers in the order of their numbers. */
export function registersOf(target: Target): readonly RegisterSpec[] {
  return featuresOf(target).flatMap(({ registers }) => registers);
}

export function targetDescription(target: Target): string {
  const features = featuresOf(target).map(({ name, registers, types = "" }) => {
    const list = registers.map((spec) => `<reg name="${spec.name}" bitsize="${spec.bits}" ${typeOf(spec)}/>`);
    return `<feature name="${name}">${types}${list.join("")}</feature>`;
  });
  const osabi = target.kind === "program" ? "<osabi>GNU/Linux</osabi>" : "";
  return `<?xml version="1.0"?><!DOCTYPE target SYSTEM "gdb-target.dtd"><target version="1.0"><architecture>i386:x86-64</architecture>${osabi}${features.join("\n")}</target>`;
}
