import type { CodePiece } from "../../engine.ts";
import type { RecordFacts } from "./record-facts.ts";
import type { Trace } from "./trace.ts";

/** A trace for those who look at what is generated: its records, and the instruction that each of them holds. */
export function codePieceOf(trace: Trace, records: Uint8Array, facts: RecordFacts): CodePiece {
  const indices = [...Array(trace.count).keys()].map((index) => trace.first + index);
  const blocks = indices.map((index) => ({
    rip: facts.rip[index],
    end: facts.rip[index] + facts.length[index],
  }));
  return { language: "records", content: records, regions: [{ rip: trace.rip, blocks }] };
}
