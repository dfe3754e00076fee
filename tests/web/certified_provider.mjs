// The certified provider `oidc-provider`, as one Headway knows it: node certified_provider.mjs FOLDER PORT CLIENT
// FOLDER holds its packages, CLIENT is a client's metadata as JSON. Says `ready` on stdout when it answers.
import { generateKeyPairSync } from "node:crypto";
import { pathToFileURL } from "node:url";

const [folder, port, client] = process.argv.slice(2);
const { default: Provider } = await import(pathToFileURL(`${folder}/node_modules/oidc-provider/lib/index.js`).href);

const groups = { ann: ["staff", "ml-admins"], bob: ["staff"], eve: [] };
const keys = [
  { ...generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ format: "jwk" }), use: "sig", kid: "r" },
  { ...generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ format: "jwk" }), use: "sig", kid: "e" },
];
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [JSON.parse(client)],
  jwks: { keys },
  cookies: { keys: ["of a test"] },
  scopes: ["openid", "profile", "email", "groups"],
  claims: { openid: ["sub"], profile: ["preferred_username"], email: ["email", "email_verified"], groups: ["groups"] },
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, preferred_username: id, email: `${id}@example.com`, groups: groups[id] ?? [] }),
  }),
});
provider.listen(Number(port), "127.0.0.1", () => console.log("ready"));
