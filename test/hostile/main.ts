import { ElfFuzzer } from "./elf-fuzzer.ts";
const f = new ElfFuzzer(1);
const t = performance.now();
try { await f.run(Number(process.argv[3] ?? 0), Number(process.argv[2])); } catch (e) { console.log(e); }
f.summary.sentences.clear(); console.log(f.summary, performance.now() - t, process.resourceUsage().maxRSS/1024);
