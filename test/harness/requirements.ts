/**
 * What a test needs beyond npm. If it is missing the test is skipped and says why; with CI=true it fails instead, so
 * that a green CI has run everything.
 */

import { spawnSync } from "node:child_process";
import { describe, it } from "vitest";

const isCI = process.env.CI === "true" || process.env.CI === "1";

/** The reason why something cannot be tested here, or undefined if it can. */
export type Missing = string | undefined;

/** Is there such a program on this host? */
export function missingTool(name: string, debianPackage = name): Missing {
  const found = spawnSync("sh", ["-c", `command -v ${name}`], { stdio: "ignore" }).status === 0;
  return found ? undefined : `${name} is not installed (Debian: apt-get install ${debianPackage})`;
}

/** Why packages of Debian cannot be fetched here (scripts/debian-package.ts). */
export function missingDebian(): Missing {
  return missingTool("apt-get", "a Debian system") ?? missingTool("dpkg-deb", "dpkg");
}

/** Like describe(), unless a requirement is missing. */
export function describeWith(requirements: Missing[], name: string, body: () => void): void {
  const reasons = requirements.filter((reason) => reason !== undefined);
  if (reasons.length === 0) {
    describe(name, body);
  } else if (isCI) {
    describe(name, () => {
      it("has what it needs", () => {
        throw new Error(reasons.join("; "));
      });
    });
  } else {
    console.log(`skipped: ${name}: ${reasons.join("; ")}`);
    describe.skipIf(true)(name, body);
  }
}
