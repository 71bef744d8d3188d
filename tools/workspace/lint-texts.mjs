// Lints texts as if they stood in files of the workspace, and prints each one's messages. A process of its own: ESLint and Nx
// bring caches and native code that a Jest worker should not carry.
//   stdin: [{ file, text }, …]   stdout: [[{ rule, message }, …], …]
import { readFileSync } from 'node:fs';
import { createProjectGraphAsync } from '@nx/devkit';
import { ESLint } from 'eslint';

// Without a graph in the cache the rule about boundaries keeps silent.
await createProjectGraphAsync();
const eslint = new ESLint({
  // Types are unknown for a file that does not exist, so the rules that ask for them stay out; the fence asks for none.
  overrideConfig: {
    languageOptions: { parserOptions: { projectService: false } },
    rules: Object.fromEntries(['no-floating-promises', 'no-misused-promises', 'switch-exhaustiveness-check'].map((rule) => [`@typescript-eslint/${rule}`, 'off'])),
  },
});

const answers = [];
for (const { file, text } of JSON.parse(readFileSync(0, 'utf8'))) {
  const [result] = await eslint.lintText(text, { filePath: file, warnIgnored: true });
  answers.push(result.messages.map(({ ruleId, message }) => ({ rule: ruleId, message })));
}
process.stdout.write(JSON.stringify(answers));
process.exit(0);
