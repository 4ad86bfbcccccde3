// Holds custom resources to the types of their definitions: Gateway API and Prometheus operator.
//
//   node custom_resources.mjs MODULES < resources.json      # a JSON array; MODULES is where node_modules lies
//
// Types, enums and required keys are checked. A key that the definition does not know is not noticed.
import { pathToFileURL } from 'node:url';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const packages = {
  'gateway.networking.k8s.io': '@kubernetes-models/gateway-api',
  'monitoring.coreos.com': '@kubernetes-models/prometheus-operator',
};

async function model({ apiVersion, kind }) {
  const [group] = apiVersion.split('/');
  if (!packages[group]) throw new Error(`no definition of ${apiVersion} here`);
  // By path: this file lies elsewhere, so its own look-up would not find them.
  const folder = join(resolve(process.argv[2]), 'node_modules', packages[group]);
  const found = (await import(pathToFileURL(join(folder, apiVersion, 'index.js'))))[kind];
  if (!found) throw new Error(`${apiVersion} has no ${kind}`);
  return found;
}

let wrong = 0;
for (const resource of JSON.parse(readFileSync(0, 'utf8'))) {
  const name = `${resource.kind}/${resource.metadata?.name}`;
  try {
    new (await model(resource))(resource).validate();
  } catch (error) {
    console.log(`${name}: ${error.message}`);
    wrong += 1;
  }
}
process.exit(wrong ? 1 : 0);
