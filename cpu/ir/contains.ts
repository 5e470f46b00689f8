import type { Block, Statement } from "./value.ts";

/** Is there such a statement in the block, or in a branch or loop inside? */
export function contains(block: Block, test: (statement: Statement) => boolean): boolean {
  return block.some((statement) => {
    if (test(statement)) return true;
    if (statement.do === "if") return contains(statement.yes, test) || contains(statement.no, test);
    return statement.do === "loop" && contains(statement.body, test);
  });
}
