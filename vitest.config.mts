import { defineConfig } from "vitest/config";

/**
 * Seven projects: `unit` (beside the code), `rules` (the repository's own rules), `fuzz` (instructions against the host
 * CPU), `hostile` (programs and system calls that mean harm), `system` (real programs run by the built `osv-vm`),
 * `machines` (whole systems booted by it) and `timing` (which must run alone).
 * With OSV_TEST_FULL=1 (`npm run test:exhaustive`) the long variants of system tests run as well.
 */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          // Files share what they import: the interpreter, which many of them run, is then generated once.
          isolate: false,
          include: ["{mmu,cpu,devices,virtio,zfs,tcpip,kernel,debug,cli,bench,scripts}/**/*.test.ts"],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: "rules",
          include: ["test/rules.test.ts", "test/documentation.test.ts"],
          testTimeout: 60_000,
        },
      },
      {
        test: {
          name: "fuzz",
          include: ["test/fuzz/**/*.test.ts"],
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: "hostile",
          include: ["test/hostile/**/*.test.ts"],
          globalSetup: ["test/harness/setup.ts"],
          testTimeout: 120_000,
        },
      },
      {
        test: {
          name: "system",
          include: ["test/system/**/*.test.ts"],
          globalSetup: ["test/harness/setup.ts"],
          testTimeout: 120_000,
          hookTimeout: 300_000,
        },
      },
      {
        test: {
          name: "machines",
          include: ["test/machines/**/*.test.ts"],
          globalSetup: ["test/harness/setup.ts"],
          testTimeout: 120_000,
          hookTimeout: 300_000,
        },
      },
      {
        test: {
          name: "timing",
          include: ["test/timing/**/*.test.ts"],
          globalSetup: ["test/harness/setup.ts"],
          testTimeout: 60_000,
        },
      },
    ],
  },
});
