/**
 * Who may import whom: the arrows of docs/ARCHITECTURE.md. A folder may import itself, the folders listed here, and
 * nothing else. Proved by test/rules.test.ts.
 */
const ARROWS = {
  mmu: [],
  cpu: ["mmu"],
  devices: ["cpu", "mmu", "virtio/devices", "virtio/queue", "virtio/transport"],
  virtio: ["devices", "cpu", "mmu"],
  zfs: [],
  tcpip: [],
  kernel: ["virtio", "zfs", "tcpip", "devices", "cpu", "mmu"],
  debug: ["kernel", "devices", "virtio", "cpu", "mmu"],
  web: ["debug", "kernel", "virtio", "zfs", "tcpip", "devices", "cpu", "mmu"],
  cli: ["debug", "kernel", "virtio", "zfs", "tcpip", "devices", "cpu", "mmu"],
  bench: ["cli", "debug", "kernel", "virtio", "zfs", "tcpip", "devices", "cpu", "mmu", "scripts"],
  test: ["cli", "debug", "kernel", "virtio", "zfs", "tcpip", "devices", "cpu", "mmu", "scripts"],
  scripts: ["kernel", "cpu", "mmu"],
};

/** Tests, and what only tests import: both may use Node. */
const TESTS = "\\.test\\.ts$|/testing/";

/** They run in a browser as well: no Node module, and no package but the ones named. */
const PORTABLE = ["mmu", "cpu", "devices", "virtio", "zfs", "tcpip", "kernel", "debug"];

const arrowRules = Object.entries(ARROWS).map(([folder, allowed]) => ({
  name: `arrows-of-${folder}`,
  comment: `${folder}/ may import itself and ${allowed.join(", ") || "nothing else"} (docs/ARCHITECTURE.md, "The house").`,
  severity: "error",
  from: { path: `^${folder}/` },
  to: { pathNot: `^(${[folder, ...allowed].join("|")})/|^package\\.json$`, dependencyTypes: ["local"] },
}));

module.exports = {
  forbidden: [
    ...arrowRules,
    {
      name: "no-cycles",
      comment: "Modules that need each other's code are one module, or three. (Types may point both ways.)",
      severity: "error",
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } },
    },
    {
      name: "no-node-in-portable-folders",
      comment: "What the host gives comes in through kernel/host.ts, implemented in cli/host/ and web/host/.",
      severity: "error",
      from: { path: `^(${PORTABLE.join("|")}|web)/`, pathNot: TESTS },
      to: { dependencyTypes: ["core"] },
    },
    {
      name: "no-packages-in-portable-folders",
      comment: "The machine is written by hand; debug/ may use iced-x86 for disassembly text.",
      severity: "error",
      from: { path: `^(${PORTABLE.join("|")})/`, pathNot: TESTS },
      to: {
        dependencyTypes: ["npm", "npm-dev", "npm-optional", "npm-peer", "npm-no-pkg", "npm-unknown"],
        pathNot: "node_modules/iced-x86/",
      },
    },
    {
      name: "iced-only-in-debug",
      comment:
        "The decoder is ours; iced-x86 is its second opinion in tests and writes the text of disassembly.",
      severity: "error",
      from: { path: "^(mmu|cpu|devices|virtio|zfs|tcpip|kernel)/", pathNot: TESTS },
      to: { path: "node_modules/iced-x86/" },
    },
    {
      name: "no-tests-in-code",
      comment: "Code never imports a test, nor what is in a folder testing/.",
      severity: "error",
      from: { pathNot: `${TESTS}|^test/` },
      to: { path: TESTS },
    },
    {
      name: "resolvable",
      comment: "An import must lead to a file.",
      severity: "error",
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "^(dist|\\.cache)/" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: { extensions: [".ts", ".mjs", ".js", ".cjs", ".json"] },
  },
};
