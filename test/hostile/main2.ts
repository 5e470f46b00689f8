import { fuzzSyscalls, CALLS_PER_SESSION } from "./syscall-fuzzer.ts";
const t = performance.now();
const [, , first = "0", sessions = "40", trace] = process.argv;
try { const s = await fuzzSyscalls({ seed: 1, first: +first,  calls: +sessions*CALLS_PER_SESSION, ...(trace && {trace: (l: string) => console.log(l)}), onSession: (n) => { if (trace) console.log("session", n); } });
console.log({ ...s, byName: 0 });
const slow = [...s.byName].sort((a, b) => b[1].slowest - a[1].slowest).slice(0, 10).map(([n, r]) => `${n} ${r.slowest.toFixed(1)}`);
console.log(slow.join(" "));
console.log("never succeeded:", [...s.byName].filter(([, r]) => r.succeeded === 0).map(([n, r]) => `${n}(${r.made})`).join(" "));
} catch (e) { console.log((e as Error).message.slice(0, 6000)); }
console.log(performance.now() - t, process.resourceUsage().maxRSS / 1024);
