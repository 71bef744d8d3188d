import { createHash } from 'node:crypto';

const style = 'body{font:16px/1.5 system-ui,sans-serif;max-width:28rem;margin:20vh auto;padding:0 1rem;text-align:center;color-scheme:light dark}button{font:inherit;padding:.7rem 1.6rem;border:0;border-radius:.5rem;background:#2557d6;color:#fff;cursor:pointer}';

/** Programs that read mails open links, and would use them up: a person presses a button. */
export function verifyPage(query: Readonly<Record<string, unknown>>): { readonly html: string; readonly policy: string } {
  const fields = Object.entries({ ...query, confirmed: '1' })
    .filter((entry): entry is [string, string] => typeof entry[1] === 'string')
    .map(([name, value]) => `<input type="hidden" name="${escaped(name)}" value="${escaped(value)}">`);
  const html =
    `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><meta name="robots" content="noindex">` +
    `<title>One more step</title><style>${style}</style><h1>One more step</h1><p>Press the button to go on.</p><form method="get">${fields.join('')}<button>Go on</button></form></html>`;
  const styleHash = createHash('sha256').update(style).digest('base64');
  // No form-action: browsers would apply it to where the answer leads, too.
  return { html, policy: `default-src 'none'; style-src 'sha256-${styleHash}'; frame-ancestors 'none'; base-uri 'none'` };
}

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (letter) => entities[letter]!);
}
