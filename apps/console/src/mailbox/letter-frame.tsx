import { useRef } from 'react';

/**
 * The HTML of a mail, in a frame of its own. Nothing can run in it: the sandbox gives no scripts, and the empty page that it is laid into
 * comes with a policy that loads nothing and sends nothing. Links open in a tab of their own.
 */
export function LetterFrame({ html, title }: { html: string; title: string }) {
  const frame = useRef<HTMLIFrameElement>(null);
  const lay = (): void => {
    const element = frame.current;
    const page = element?.contentDocument;
    // The empty page that a frame has at first goes by the console's own policy, and is not the one that this is for.
    if (!element || !page?.URL.endsWith('/letter.html')) return;
    // Parsed there and not here: the page of the console takes no style from a stranger, not even to look at it.
    page.documentElement.innerHTML = html;
    page.querySelectorAll('a').forEach((link) => Object.assign(link, { target: '_blank', rel: 'noopener noreferrer' }));
    // A page is never shorter than its frame, so the frame is made small before it is measured.
    element.style.height = '0';
    element.style.height = `${Math.min(2000, page.documentElement.scrollHeight + 2)}px`;
  };
  return <iframe ref={frame} className="letter" title={title} src="/console/letter.html" sandbox="allow-same-origin allow-popups allow-popups-to-escape-sandbox" onLoad={lay} />;
}
