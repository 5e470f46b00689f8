/** /proc/cpuinfo, from what CPUID answers (Linux: arch/x86/kernel/cpu/proc.c). */

import type { ProcessorModel } from "../../../cpu/model.ts";

/** Linux' names (arch/x86/include/asm/cpufeatures.h) where ours differ; "": it shows none. */
const LINUX_NAMES: Readonly<Record<string, string>> = {
  clflush: "clflush",
  cmpxchg16b: "cx16",
  lahf64: "lahf_lm",
  lzcnt: "abm",
  osxsave: "",
  pclmul: "pclmulqdq",
  prefetchw: "3dnowprefetch",
  sha: "sha_ni",
  sse3: "pni",
  sse41: "sse4_1",
  sse42: "sse4_2",
};

function text(registers: readonly number[]): string {
  let characters = "";
  for (const register of registers) {
    for (let shift = 0; shift < 32; shift += 8)
      characters += String.fromCharCode((register >>> shift) & 0xff);
  }
  return characters.replace(/\0.*$/s, "");
}

export function processorText(processor: ProcessorModel): string {
  const cpuid = (leaf: number, subleaf: number) => processor.cpuid(leaf, subleaf);
  const first = cpuid(0, 0);
  const signature = cpuid(1, 0).eax;
  const family = (signature >>> 8) & 0xf;
  const model = ((signature >>> 4) & 0xf) | ((signature >>> 12) & 0xf0);
  const brand = [0x80000002, 0x80000003, 0x80000004].flatMap((leaf) => {
    const { eax, ebx, ecx, edx } = cpuid(leaf, 0);
    return [eax, ebx, ecx, edx];
  });
  const sizes = cpuid(0x80000008, 0).eax;
  const cache = cpuid(0x80000006, 0).ecx;
  const flags = [...processor.features]
    .map((name) => LINUX_NAMES[name] ?? name)
    .filter((name) => name !== "");
  const lines: readonly (readonly [name: string, value: string | number])[] = [
    ["processor", 0],
    ["vendor_id", text([first.ebx, first.edx, first.ecx])],
    ["cpu family", family],
    ["model", model],
    ["model name", text(brand).trim()],
    ["stepping", signature & 0xf],
    ["microcode", "0x1"],
    ["cpu MHz", "1000.000"],
    ["cache size", `${cache >>> 16} KB`],
    ["physical id", 0],
    ["siblings", 1],
    ["core id", 0],
    ["cpu cores", 1],
    ["apicid", 0],
    ["initial apicid", 0],
    ["fpu", "yes"],
    ["fpu_exception", "yes"],
    ["cpuid level", first.eax],
    ["wp", "yes"],
    ["flags", flags.join(" ")],
    ["bugs", ""],
    ["bogomips", "2000.00"],
    ["clflush size", ((cpuid(1, 0).ebx >>> 8) & 0xff) * 8],
    ["cache_alignment", cache & 0xff],
    ["address sizes", `${sizes & 0xff} bits physical, ${(sizes >>> 8) & 0xff} bits virtual`],
  ];
  const width = (name: string): string => (name.length < 8 ? `${name}\t` : name);
  return `${lines.map(([name, value]) => `${width(name)}\t: ${value}`.trimEnd()).join("\n")}\npower management:\n\n`;
}
