import { fillTemplate, parseTemplate, TemplateError } from './go-template.ts';

const values = { Token: '123456', Email: `"o'<b>"@x.com`, ConfirmationURL: 'https://a.com/?x=1&y=2', Data: { name: '<script>', lang: 'de', link: 'javascript:alert(1)', list: ['a', 'b'], nested: { deep: 1 } } };

const fill = (source: string, form: 'html' | 'text' = 'html') => fillTemplate(parseTemplate(source), values, form);

describe('templates of mails', () => {
  it.each([
    ['Code {{ .Token }}!', 'Code 123456!'],
    ['{{.Token}}{{ .Nothing }}', '123456'],
    ['{{ .Data.name }}', '&lt;script&gt;'],
    ['{{ .Email }}', '&#34;o&#39;&lt;b&gt;&#34;@x.com'],
    ['<a href="{{ .ConfirmationURL }}">', '<a href="https://a.com/?x=1&amp;y=2">'],
    ['<a href="{{ .Data.link }}">', '<a href="#">'],
    ['{{ if eq .Data.lang "de" }}Hallo{{ else }}Hello{{ end }}', 'Hallo'],
    ['{{ if eq .Data.lang "fr" }}a{{ else if .Data.name }}b{{ else }}c{{ end }}', 'b'],
    ['{{ if and .Token (not .Nothing) }}yes{{ end }}', 'yes'],
    ['{{ range .Data.list }}[{{ . }}]{{ end }}', '[a][b]'],
    ['{{ with .Data.nested }}{{ .deep }}{{ $.Token }}{{ end }}', '1123456'],
    ['{{ index .Data "lang" }}{{ .Data.constructor }}{{ len .Data.list }}', 'de2'],
    ['a {{- .Token -}} b', 'a123456b'],
    ['{{/* a remark */}}x', 'x'],
    ['{{ .Data.lang | print }}', 'de'],
  ])('%s', (source, filled) => expect(fill(source)).toBe(filled));

  it('a subject is not escaped', () => expect(fill('{{ .Data.name }}', 'text')).toBe('<script>'));

  it.each(['{{ if .Token }}x', '{{ end }}', '{{ nonsense }}', '{{ }}', '{{ (.Token }}', '{{ .Token .Email }}'])('%s is refused', (source) => expect(() => parseTemplate(source)).toThrow(TemplateError));
});
