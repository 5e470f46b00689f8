/** A case that did not go as it has to, and how to see it again. */

/** The program that repeats cases. */
export const REPEAT = "node scripts/run-ts.mjs test/hostile/main.ts";

export class HostileFailure extends Error {
  constructor(what: string, repeat: string, cause?: unknown) {
    super(`${what}\nrepeat with: ${REPEAT} ${repeat}`, { cause });
    this.name = "HostileFailure";
  }
}
