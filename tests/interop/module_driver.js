// Asks binary-version-reader about modules: jobs {verb, files: [base64], ...} as JSON on stdin,
// results as JSON on stdout. It is started in the folder that holds node_modules.
const reader = require(require.resolve("binary-version-reader", { paths: [process.cwd()] }));

const hex = (list) => (list || []).map((e) => [e.type, e.data.slice(4).toString("hex")]);

const verbs = {
  async parse([file]) {
    const found = await new reader.HalModuleParser().parseBuffer({ fileBuffer: file });
    const p = found.prefixInfo;
    const s = found.suffixInfo;
    return {
      crc32_ok: found.crc.ok,
      crc32: found.crc.storedCrc,
      prefix_offset: p.prefixOffset,
      start: parseInt(p.moduleStartAddy, 16),
      end: parseInt(p.moduleEndAddy, 16),
      mcu: p.reserved,
      flags: p.moduleFlags,
      version: p.moduleVersion,
      platform_id: p.platformID,
      function: p.moduleFunction,
      index: p.moduleIndex,
      needs: [
        [p.depModuleFunction, p.depModuleIndex, p.depModuleVersion],
        [p.dep2ModuleFunction, p.dep2ModuleIndex, p.dep2ModuleVersion],
      ],
      prefix_size: p.prefixSize,
      prefix_extensions: hex(p.extensions),
      suffix_size: s.suffixSize,
      suffix_extensions: hex(s.extensions),
      product: s.productId === -1 ? null : [s.productId, s.productVersion],
      sha256: s.fwUniqueId,
      assets: (found.assets || []).map((a) => [a.name, a.hash]),
    };
  },
  async split([file]) {
    return (await reader.splitCombinedModules(file)).map((f) => f.toString("base64"));
  },
  async combine(files) {
    return (await reader.combineModules(files)).toString("base64");
  },
  async inflate([file]) {
    return (await reader.decompressModule(file)).toString("base64");
  },
  async deflate([file]) {
    return (await reader.compressModule(file)).toString("base64");
  },
  async unwrap([file]) {
    return (await reader.unwrapAssetModule(file)).toString("base64");
  },
  async wrap([file], job) {
    const options = job.compress ? { compress: true, zlib: { level: 9 } } : { compress: false };
    return (await reader.createAssetModule(file, job.name, options)).toString("base64");
  },
};

async function main() {
  let text = "";
  for await (const part of process.stdin) text += part;
  const results = [];
  for (const job of JSON.parse(text)) {
    const files = job.files.map((data) => Buffer.from(data, "base64"));
    try {
      results.push({ result: await verbs[job.verb](files, job) });
    } catch (error) {
      results.push({ error: error.message });
    }
  }
  process.stdout.write(JSON.stringify(results));
}

main();
