import { canonicalAddress, whyNotPublic } from './address-ranges.ts';
import { AllowList } from './allow-list.ts';
import { Outward } from './outward.ts';
import { OutwardRefusal } from './refusals.ts';

const outward = new Outward({ reach: 'public', allowedHosts: [], allowedPorts: [80, 443], lookUp: () => Promise.resolve(['93.184.216.34']) });

/** What becomes of a URL before anything is sent. */
function codeOf(url: string): string | null {
  try {
    outward.check(url);
    return null;
  } catch (error) {
    return error instanceof OutwardRefusal ? error.code : String(error);
  }
}

describe('an address that is not public', () => {
  /** First and last of each range, and what lies beside it. */
  it.each([
    ...['0.0.0.0', '0.0.0.1', '0.255.255.255', '10.0.0.0', '10.0.0.1', '10.255.255.255', '100.64.0.0', '100.100.100.200', '100.127.255.255'],
    ...['127.0.0.0', '127.0.0.1', '127.1.1.1', '127.255.255.255', '169.254.0.0', '169.254.169.254', '169.254.170.2', '169.254.255.255'],
    ...['172.16.0.0', '172.17.0.1', '172.31.255.255', '192.0.0.0', '192.0.0.8', '192.0.0.170', '192.0.0.255', '192.0.2.0', '192.0.2.255', '192.88.99.0', '192.88.99.255'],
    ...['192.168.0.0', '192.168.1.1', '192.168.255.255', '198.18.0.0', '198.19.255.255', '198.51.100.0', '198.51.100.255', '203.0.113.0', '203.0.113.255'],
    ...['224.0.0.0', '224.0.0.1', '239.255.255.255', '240.0.0.0', '250.1.2.3', '255.255.255.254', '255.255.255.255'],
    ...['::', '::1', '::2', '::7f00:1', '::127.0.0.1', '::169.254.169.254', '::ffff:127.0.0.1', '::ffff:7f00:1', '::ffff:a9fe:a9fe', '::ffff:10.0.0.1', '::ffff:8.8.8.8'],
    ...['::ffff:0:127.0.0.1', '::ffff:0:8.8.8.8', '64:ff9b::7f00:1', '64:ff9b::169.254.169.254', '64:ff9b::8.8.8.8', '64:ff9b:1::a00:1', '64:ff9b:1:ffff::1'],
    ...['100::', '100::1', '100:0:0:1::1', '2001::', '2001:0:7f00:1::', '2001:0:4136:e378:8000:63bf:3fff:fdd2', '2001:2::1', '2001:3::1', '2001:4:112::1', '2001:10::1', '2001:20::1', '2001:30::1', '2001:1ff:ffff::1'],
    ...['2001:db8::', '2001:db8::1', '2001:db8:ffff:ffff::1', '2002::', '2002:7f00:1::', '2002:a9fe:a9fe::1', '2002:808:808::1', '2620:4f:8000::1', '3fff::1', '3fff:fff::1', '4000::1', '5f00::1', '6000::1', 'c000::1'],
    ...['fc00::', 'fc00::1', 'fd00::1', 'fd00:ec2::254', 'fdff:ffff::1', 'fe00::1', 'fe80::', 'fe80::1', 'fe80::a9fe:a9fe', 'febf::1', 'fec0::1', 'feff::1', 'ff00::', 'ff02::1', 'ff0e::1', 'ffff::1'],
    ...['fe80::1%eth0', '2606:4700::1%1', 'example.com', '', '1.2.3', '1.2.3.4.5', '256.1.1.1', '1.2.3.4 ', '[2606:4700::1]', ':::1'],
  ])('%s is known as such', (address) => {
    expect(whyNotPublic(address)).toEqual(expect.any(String));
  });

  it.each([
    ...['1.0.0.0', '1.1.1.1', '8.8.8.8', '9.255.255.255', '11.0.0.0', '93.184.216.34', '100.63.255.255', '100.128.0.0', '126.255.255.255', '128.0.0.0', '169.253.255.255', '169.255.0.0'],
    ...['172.15.255.255', '172.32.0.0', '192.0.1.0', '192.0.3.0', '192.167.255.255', '192.169.0.0', '198.17.255.255', '198.20.0.0', '198.51.101.0', '203.0.112.255', '203.0.114.0', '223.255.255.255'],
    ...['2001:200::1', '2001:4860:4860::8888', '2001:db7::1', '2001:db9::1', '2003::1', '2606:4700:4700::1111', '2a00:1450:4001::1', '2c0f::1', '3ffe::1'],
  ])('%s is none', (address) => {
    expect(whyNotPublic(address)).toBeNull();
  });
});

describe('a URL that leads inside', () => {
  const loopback = [
    ...['127.0.0.1', '127.0.0.1.', '127.1', '127.0.1', '127.255.255.254', '2130706433', '0x7f000001', '0x7F.0x0.0x0.0x1', '0x7f.1', '017700000001', '0177.0.0.1', '0177.0.0.01', '0177.0x0.0.1', '00000177.0.0.1', '127.0.0x1'],
    ...['%31%32%37.0.0.1', '127%2e0%2e0%2e1', '１２７.０.０.１', '127。0。0。1', '１２７。１', '①②⑦.⓪.⓪.①', '127．0．0．1', '１２７｡０｡０｡１', '⑯⑨.254.169.254', '0x7f000001.'],
    ...['[::1]', '[0:0:0:0:0:0:0:1]', '[0000::0001]', '[::ffff:127.0.0.1]', '[::ffff:7f00:1]', '[0:0:0:0:0:ffff:127.0.0.1]', '[::127.0.0.1]', '[::7f00:1]', '[64:ff9b::7f00:1]', '[64:ff9b::127.0.0.1]', '[2002:7f00:1::]', '[2001:0:7f00:1::]', '[::ffff:0:7f00:1]', '[fe80::1]', '[fd00:ec2::254]', '[::]'],
  ];
  const others = [
    ...['0', '0.0.0.0', '0x0', '00', '10.1', '10.0.0.1', '0xa.0.0.1', '012.0.0.1', '167772161', '172.16.1', '0xac.0x10.0.1', '192.168.257', '0xc0a80101', '3232235777', '030052000401'],
    ...['169.254.169.254', '169.254.43518', '169.16689662', '2852039166', '0xa9fea9fe', '0xA9.0xFE.0xA9.0xFE', '0251.0376.0251.0376', '025177524776', '[::ffff:169.254.169.254]', '[::ffff:a9fe:a9fe]', '[64:ff9b::a9fe:a9fe]', '[2002:a9fe:a9fe::1]', '100.100.100.200', '224.0.0.1', '255.255.255.255', '0xffffffff', '4294967295', '198.18.0.1', '192.0.0.192', '240.0.0.1'],
  ];
  it.each([...loopback, ...others])('http://%s/ is refused', (host) => {
    expect(codeOf(`http://${host}/latest/meta-data/`)).toBe('address_refused');
    expect(codeOf(`https://${host}:443/`)).toBe('address_refused');
  });

  it.each(['localhost', 'LOCALHOST', 'localhost.', 'Localhost...', 'a.localhost', 'x.y.localhost.', 'ｌｏｃａｌｈｏｓｔ', 'loc%61lhost', 'lo­calhost'])('http://%s/ is refused by its name alone', async (host) => {
    await expect(outward.call({ method: 'GET', url: `http://${host}/`, headers: {}, body: null, timeoutMs: 1000, maxAnswerBytes: 1 })).rejects.toMatchObject({ code: expect.stringMatching(/address_refused|url_not_valid/) });
  });

  it.each([
    ['gopher://example.com/', 'scheme_refused'], ['file:///etc/passwd', 'scheme_refused'], ['ftp://example.com/', 'scheme_refused'], ['dict://example.com:80/', 'scheme_refused'], ['ws://example.com/', 'scheme_refused'],
    ['javascript:alert(1)', 'scheme_refused'], ['data:text/plain,x', 'scheme_refused'], ['blob:http://example.com/x', 'scheme_refused'], ['unix:/var/run/docker.sock', 'scheme_refused'], ['jar:http://example.com!/', 'scheme_refused'],
    ['http://user@example.com/', 'userinfo_refused'], ['http://user:word@example.com/', 'userinfo_refused'], ['http://:word@example.com/', 'userinfo_refused'], ['http://example.com@127.0.0.1/', 'userinfo_refused'], ['http://127.0.0.1:80@example.com/', 'userinfo_refused'],
    ['http://example.com:22/', 'port_refused'], ['http://example.com:25/', 'port_refused'], ['http://example.com:6379/', 'port_refused'], ['https://example.com:8443/', 'port_refused'], ['http://8.8.8.8:8080/', 'port_refused'], ['http://example.com:0/', 'port_refused'],
    ['', 'url_not_valid'], ['/path', 'url_not_valid'], ['example.com', 'url_not_valid'], ['//example.com/', 'url_not_valid'], ['http://', 'url_not_valid'], ['http:///', 'url_not_valid'], ['http://example.com:99999/', 'url_not_valid'], ['http://./', 'url_not_valid'], ['http://a..b/', 'url_not_valid'],
    ['http://exa mple.com/', 'url_not_valid'], ['http://exa\tmple.com/', 'url_not_valid'], ['http://example.com/\r\nx: y', 'url_not_valid'], ['http://example.com/\n', 'url_not_valid'], [' http://example.com/', 'url_not_valid'], ['http://example.com/a\u0000b', 'url_not_valid'], ['http:\\\\127.0.0.1/', 'url_not_valid'],
    ['http://[fe80::1%25eth0]/', 'url_not_valid'], ['http://[::1%25lo]/', 'url_not_valid'], ['http://[::1]x/', 'url_not_valid'], ['http://[v1.fe80::a+en1]/', 'url_not_valid'], ['http://256.256.256.256/', 'url_not_valid'], ['http://1.2.3.4.5/', 'url_not_valid'], ['http://0x100000000/', 'url_not_valid'], ['http://4294967296/', 'url_not_valid'],
    ['http://exa%00mple.com/', 'url_not_valid'], ['http://exa%0d%0ample.com/', 'url_not_valid'], ['http://example.com%2f@127.0.0.1/', 'userinfo_refused'], [`http://example.com/${'x'.repeat(9000)}`, 'url_not_valid'],
    ['http:127.0.0.1/', 'address_refused'], ['http:/127.0.0.1/', 'address_refused'], ['http:////127.0.0.1/', 'address_refused'], ['HTTP://127.0.0.1', 'address_refused'],
  ])('%j is refused as %s', (url, code) => {
    expect(codeOf(url)).toBe(code);
  });

  it.each(['http://example.com', 'https://example.com:443/a?b=c#d', 'http://8.8.8.8/', 'https://[2606:4700:4700::1111]/', 'http://bücher.example/', 'http://example.com./', 'https://127.0.0.1.example.com/'])('%s is none', (url) => {
    expect(codeOf(url)).toBeNull();
  });

  it('a refusal names the setting that would allow it', () => {
    expect(() => outward.check('http://127.0.0.1:9999/hook')).toThrow(expect.objectContaining({ message: '127.0.0.1 is no public address (loopback) and is not called', hint: 'If this service is yours and may be called, set MAINSTAY_OUTWARD_ALLOW=127.0.0.1:9999' }));
    expect(() => outward.check('http://[::1]:9999/hook')).toThrow(expect.objectContaining({ hint: expect.stringContaining('MAINSTAY_OUTWARD_ALLOW=[::1]:9999') }));
  });
});

describe('names', () => {
  it.each([
    ['one inner address', ['10.0.0.5']],
    ['an inner address behind a public one', ['93.184.216.34', '127.0.0.1']],
    ['an inner IPv6 address behind a public one', ['93.184.216.34', '::1']],
    ['a mapped address', ['::ffff:10.0.0.5']],
    ['the metadata of a cloud', ['169.254.169.254']],
  ])('a name with %s is not called', async (_what, addresses) => {
    const lost = new Outward({ reach: 'public', allowedHosts: [], allowedPorts: [80], lookUp: () => Promise.resolve(addresses) });
    await expect(lost.call({ method: 'GET', url: 'http://example.com/', headers: {}, body: null, timeoutMs: 1000, maxAnswerBytes: 1 })).rejects.toMatchObject({ code: 'address_refused' });
  });

  it('a name that nobody knows may be known later', async () => {
    const lost = new Outward({ reach: 'public', allowedHosts: [], allowedPorts: [80], lookUp: () => Promise.reject(Object.assign(new Error('no'), { code: 'ENOTFOUND' })) });
    await expect(lost.call({ method: 'GET', url: 'http://nowhere.example/', headers: {}, body: null, timeoutMs: 1000, maxAnswerBytes: 1 })).rejects.toMatchObject({ code: 'name_not_resolved', isForGood: false });
  });
});

describe('the list of allowed services', () => {
  it.each([
    ['localhost', 'name localhost 3000', true], ['localhost:3000', 'name localhost 3000', true], ['localhost:3000', 'name localhost 3001', false], ['Kong:8000', 'name kong 8000', true], ['kong', 'name kong.evil.example 80', false], ['my_service', 'name my_service 80', true],
    ['127.0.0.1', 'address 127.0.0.1 80', true], ['127.0.0.1:3000', 'address 127.0.0.1 3001', false], ['127.0.0.1', 'address 127.0.0.2 80', false], ['127.0.0.1', 'address ::ffff:127.0.0.1 80', true], ['::ffff:127.0.0.1', 'address 127.0.0.1 80', true],
    ['[::1]:3000', 'address ::1 3000', true], ['[::1]:3000', 'address ::1 80', false], ['::1', 'address ::1 80', true], ['0:0::1', 'address ::1 80', true], ['10.0.0.0/8', 'address 10.9.8.7 5432', true], ['10.0.0.0/8', 'address 11.0.0.1 80', false], ['fd00::/8', 'address fd12::1 80', true], ['10.0.0.0/8', 'address fd12::1 80', false], ['10.0.0.0/8', 'address ::ffff:10.0.0.1 80', true],
  ])('%s and %s: %s', (entry, asked, isAllowed) => {
    const [kind, host, port] = asked.split(' ') as [string, string, string];
    const list = new AllowList([entry]);
    expect(kind === 'name' ? list.hasName(host, Number(port)) : list.hasAddress(host, Number(port))).toBe(isAllowed);
  });

  it.each(['http://localhost', 'localhost:0', 'localhost:70000', 'a b', '10.0.0.0/33', '10.0.0', '[localhost]', 'a..b', '*', '-x', ''])('%j is no entry', (entry) => {
    expect(() => new AllowList([entry])).toThrow(/^MAINSTAY_OUTWARD_ALLOW is not right: /);
  });

  it('an address has one way of writing', () => {
    expect(['::ffff:1.2.3.4', '2606:4700:0:0::1', '1.2.3.4'].map(canonicalAddress)).toEqual(['1.2.3.4', '2606:4700::1', '1.2.3.4']);
  });
});
