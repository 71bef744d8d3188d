/** Line icons on a grid of 16; they only accompany words, so readers of the screen do not hear them. */
const paths = {
  overview: 'M2.5 8.5 8 3l5.5 5.5M4 7.2V13h8V7.2',
  import: 'M8 2.5v7M5 6.8l3 3 3-3M2.5 10.5v3h11v-3',
  data: 'M2.5 3.5h11v9h-11zM2.5 6.5h11M2.5 9.5h11M6.5 6.5v6',
  jobs: 'M8 2.2a5.8 5.8 0 1 0 0 11.6A5.8 5.8 0 0 0 8 2.2M8 5v3.2l2.2 1.6',
  clock: 'M8 4.5A4.8 4.8 0 1 0 8 14a4.8 4.8 0 0 0 0-9.5M8 6.8v2.6l1.6 1M2 4.2 4.4 2M14 4.2 11.6 2',
  webhook: 'M8 6.5a2.2 2.2 0 1 0 0-4.4 2.2 2.2 0 0 0 0 4.4M7 6.2 4.4 11M3.9 13.6a2.2 2.2 0 1 0 0-4.4M6 11.5h5.6M12.2 9.3a2.2 2.2 0 1 0 1.5 3.7M9.1 6.1l2.5 4',
  pause: 'M5.5 3.5v9M10.5 3.5v9',
  play: 'M5 3.5v9L12.5 8z',
  users: 'M6.2 7.6a2.6 2.6 0 1 0 0-5.2 2.6 2.6 0 0 0 0 5.2M1.8 13.5c.2-2.6 2-4 4.4-4s4.2 1.4 4.4 4M10.8 7.4a2.3 2.3 0 0 0 0-4.5M12.2 9.8c1.2.6 2 1.9 2.1 3.7',
  mailbox: 'M2 3.5h12v9H2zM2.3 4l5.7 4.8L13.7 4',
  signIn: 'M2 4.5h6.2M11.8 4.5H14M2 11.5h2.2M7.8 11.5H14M10 2.7a1.8 1.8 0 1 0 0 3.6 1.8 1.8 0 0 0 0-3.6M6 9.7a1.8 1.8 0 1 0 0 3.6 1.8 1.8 0 0 0 0-3.6',
  search: 'M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9M10.3 10.3 13.5 13.5',
  phone: 'M5 1.8h6v12.4H5zM7.3 12h1.4',
  out: 'M9 2.5h4.5V7M13.2 2.8 7.5 8.5M11.5 9.5v4h-9v-9h4',
  signOut: 'M6.5 2.5h-4v11h4M6 8h7.5M11 5.5 13.5 8 11 10.5',
  copy: 'M5.5 5.5v-3h8v8h-3M2.5 5.5h8v8h-8z',
  check: 'm3 8.5 3.2 3.2L13 4.8',
  close: 'm4 4 8 8M12 4l-8 8',
  warn: 'M8 2.5 14.2 13H1.8zM8 6.5v3M8 11.2v.3',
  bad: 'M8 2.2a5.8 5.8 0 1 0 0 11.6A5.8 5.8 0 0 0 8 2.2M8 5v3.6M8 10.7v.3',
  info: 'M8 2.2a5.8 5.8 0 1 0 0 11.6A5.8 5.8 0 0 0 8 2.2M8 7.4V11M8 5v.3',
  up: 'M8 12.5v-9M4.5 7 8 3.5 11.5 7',
  down: 'M8 3.5v9M4.5 9 8 12.5 11.5 9',
  left: 'M10 3.5 5.5 8l4.5 4.5',
  right: 'M6 3.5 10.5 8 6 12.5',
  reload: 'M13.2 6.5A5.5 5.5 0 1 0 13.5 8M13.5 3v3.5H10',
  key: 'M10.5 2.5a3 3 0 1 1-2.2 5L3.5 12.3v1.2H2v-2l6-6a3 3 0 0 1 2.5-3M11 5v.2',
  plus: 'M8 3.5v9M3.5 8h9',
  sun: 'M8 5.2a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6M8 1.5v1.2M8 13.3v1.2M1.5 8h1.2M13.3 8h1.2M3.4 3.4l.9.9M11.7 11.7l.9.9M3.4 12.6l.9-.9M11.7 4.3l.9-.9',
  moon: 'M13 9.5A5.5 5.5 0 0 1 6.5 3a5.5 5.5 0 1 0 6.5 6.5',
  screen: 'M2 3h12v8H2zM6 13.5h4',
  download: 'M8 2.5v7.5M5 7.2l3 3 3-3M3 13.5h10',
  file: 'M4 1.8h5.5L12.5 5v9.2H4zM9.2 2v3.2h3.2',
} as const;
export type IconName = keyof typeof paths;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg className="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path d={paths[name]} />
    </svg>
  );
}

export function Brand() {
  return (
    <svg className="brand-mark" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <rect className="brand-ground" width="32" height="32" rx="8" />
      <path className="brand-rig" d="M16 5v22M16 6 6 25M16 6l10 19" />
      <path className="brand-water" d="M6 25h20" />
    </svg>
  );
}
