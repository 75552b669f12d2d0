"""How an article looks: one column to read, figures wider, light and dark, on a phone and on paper."""

from __future__ import annotations

STYLE = """
:root{color-scheme:light dark;--paper:#fdfcfa;--ink:#22211f;--muted:#66625b;--rule:#dedad2;--soft:#f4f1eb;
--lora:#1c5fa8;--base:#8d6a2c;--noise:#7a5aa6;
--learned:#1f6f43;--partly:#8a5a00;--not-shown:#9a3b2f;--uncertain:#6a4b9c;--few:#5f6166;
--serif:Charter,"Bitstream Charter","Iowan Old Style","Source Serif 4",Cambria,Georgia,"DejaVu Serif",serif;
--sans:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue","Noto Sans","DejaVu Sans",sans-serif;
--mono:ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace}
@media screen and (prefers-color-scheme:dark){:root{--paper:#17181b;--ink:#e8e5df;--muted:#a5a199;--rule:#3a3b40;
--soft:#212328;--lora:#7db3ee;--base:#d0a660;--noise:#b79be0;
--learned:#7ccb9b;--partly:#e0b35a;--not-shown:#ec9a8c;--uncertain:#c3a8ec;--few:#b5b7bd}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;text-size-adjust:100%}
body{margin:0;background:var(--paper);color:var(--ink);font:1.0625rem/1.55 var(--serif);overflow-wrap:break-word;
padding:0 max(1rem,env(safe-area-inset-left))}
header,main,footer{max-width:66rem;margin-inline:auto}
h1,h2,h3,h4,p,ul,pre,dl{max-width:70ch}
.keys,.standings ul,.row p,li p,nav ul{max-width:none}
header{padding-top:2.2rem}
.kicker,.byline,nav,footer,.about,.note,.axis,figcaption,table,.standings,.sheet,.plates,.badge,.keys,summary,.facts,
.warning,.refusal{font-family:var(--sans)}
.kicker{margin:0;font-size:.78rem;letter-spacing:.09em;text-transform:uppercase;color:var(--muted)}
h1{font-size:clamp(1.65rem,1.2rem + 1.9vw,2.35rem);line-height:1.16;margin:.35rem 0 .5rem;text-wrap:balance;
letter-spacing:-.012em}
.byline{margin:0;max-width:none;color:var(--muted);font-size:.88rem}
h2{font-size:1.5rem;line-height:1.25;margin:2.9rem 0 .6rem;letter-spacing:-.006em;text-wrap:balance}
#answer h2{margin-top:1.5rem;font-size:1.2rem}
h3{font-size:1.16rem;margin:2rem 0 .5rem;text-wrap:balance}
h4{font-size:1rem;margin:1.6rem 0 .35rem}
p{margin:.6rem 0}
ul{margin:.6rem 0;padding-left:1.2rem}li{margin:.3rem 0}
.lead{font-size:1.12rem;line-height:1.45;margin:.35rem 0;max-width:none}
.note{font-size:.86rem;color:var(--muted)}
.warning,.refusal{font-size:.92rem;border-left:3px solid var(--partly);background:var(--soft);padding:.55rem .8rem;
margin:.7rem 0}
.refusal{border-color:var(--not-shown)}
code,pre{font-family:var(--mono);font-size:.86em}
code{background:var(--soft);border-radius:3px;padding:.08em .3em;overflow-wrap:anywhere}
pre{background:var(--soft);border-radius:5px;padding:.75rem .9rem;white-space:pre-wrap;line-height:1.6}
pre code{background:none;padding:0}
.whole{white-space:nowrap}
a{color:var(--lora)}
nav{margin-top:1.6rem;font-size:.88rem}
nav ul{list-style:none;display:flex;flex-wrap:wrap;gap:.3rem 1.1rem;padding:.7rem 0;margin:0;
border-block:1px solid var(--rule)}
nav li{margin:0}nav a{text-decoration:none}nav a:hover{text-decoration:underline}
figure{margin:1.1rem 0}
figcaption{font-size:.84rem;line-height:1.45;color:var(--muted);margin-top:.6rem;max-width:82ch}
.badge{display:inline-block;font-size:.78rem;font-weight:600;line-height:1.35;white-space:nowrap;color:var(--few);
border:1px solid currentColor;border-radius:99px;padding:.04rem .5rem}
.badge.learned{color:var(--learned)}.badge.partly{color:var(--partly)}.badge.not-shown{color:var(--not-shown)}
.badge.uncertain{color:var(--uncertain)}.badge.state,.badge.none{color:var(--muted)}

.standings ul{list-style:none;margin:0;padding:0}
.standings li{display:grid;grid-template-columns:minmax(0,25rem) minmax(8rem,1fr) 16.6rem;
gap:.1rem 1.5rem;align-items:center;margin:0;padding:.5rem 0;border-bottom:1px solid var(--rule)}
.standings .scale{padding:0 0 .1rem;border-bottom-color:var(--muted)}
.scale .line{grid-column:2;display:grid;grid-template-columns:1fr 1fr 1fr;font-size:.74rem;color:var(--muted)}
.scale span:nth-child(2){text-align:center}.scale span:last-child{text-align:right}
.what p{margin:0;line-height:1.4;font-size:.95rem}
.standings .group{display:block;font-size:.9rem;color:var(--muted);padding:.75rem 0 .3rem}
.strip{display:block;overflow:visible}
.line{padding:0 6px}
.rates{margin:0;font-size:.86rem;font-variant-numeric:tabular-nums;line-height:1.42}
.rates div{display:grid;grid-template-columns:3rem auto;gap:.2rem}
.rates dt{font-weight:600}.rates dd{margin:0}
.rates .lora dt{color:var(--lora)}.rates .base dt{color:var(--base)}
.what .why{font-size:.82rem;color:var(--muted)}.why span{white-space:nowrap}
.why .said{display:block;color:var(--ink);white-space:normal}

.scroll{overflow-x:auto;margin:.9rem 0;-webkit-overflow-scrolling:touch}
.scroll:focus-visible{outline:2px solid var(--lora);outline-offset:2px}
table{border-collapse:collapse;font-size:.85rem;line-height:1.4;font-variant-numeric:tabular-nums}
caption{text-align:left;font-weight:600;padding-bottom:.3rem}
th,td{text-align:left;vertical-align:top;padding:.36rem .9rem .36rem 0;border-bottom:1px solid var(--rule);
max-width:26rem;min-width:4.2rem}
th{font-weight:600;color:var(--muted);border-bottom-color:var(--muted);vertical-align:bottom}
td:last-child,th:last-child{padding-right:0}
.number{text-align:right;white-space:nowrap;min-width:0}
td .badge{margin-block:-.1rem}td code{white-space:nowrap;overflow-wrap:normal}

.row{display:flex;flex-wrap:wrap;gap:.9rem}
img{display:block;max-width:100%;height:auto}
.pixels{image-rendering:pixelated}
.missing{display:grid;place-items:center;text-align:center;aspect-ratio:1;border:1px dashed var(--muted);
color:var(--muted);font-size:.74rem;padding:.3rem}
.plate{width:8rem;font-size:.84rem;line-height:1.35}
.plate img,.plate .missing,.pair img,.pair .missing{width:100%;border:1px solid var(--rule);background:var(--soft)}
.many .plate{width:6.35rem}.many .row{gap:.8rem}
.plate p{margin:.3rem 0 0}
.plate small{display:block;color:var(--muted);font-size:.76rem}
.large .plate{width:100%}.large .plate img{width:auto}
.sheet .row{display:grid;grid-template-columns:repeat(auto-fill,minmax(9.6rem,1fr))}
.halves{display:grid;grid-template-columns:1fr 1fr;gap:3px}
.of-lora img{border-color:var(--lora);box-shadow:0 0 0 1px var(--lora)}
.pair p{margin:.2rem 0 0;font-size:.76rem;color:var(--muted);text-align:center}
.marks{display:block;font-size:.78rem;letter-spacing:.14em;text-align:center;line-height:1.5}

.charts .row{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,18.5rem),1fr));gap:1.6rem 2.2rem}
.charts.alone .row{max-width:44rem}
.one p{margin:0}.one .title{font:600 .9rem/1.35 var(--sans)}
.axis{font-size:.76rem;color:var(--muted)}.axis.x{text-align:right}
.chart{display:block;overflow:visible;margin-top:.1rem}
.chart text{font:.75rem var(--sans);fill:var(--muted);font-variant-numeric:tabular-nums;paint-order:stroke;
stroke:var(--paper);stroke-width:3px;stroke-linejoin:round}
.chart .name{fill:var(--ink)}
.grid{stroke:var(--rule);stroke-width:1}.chart line.axis{stroke:var(--muted)}
.line{fill:none}path.line{stroke-width:2;vector-effect:non-scaling-stroke;stroke-linejoin:round}
.band{stroke:none;opacity:.17}
path.lora,line.lora{stroke:var(--lora)}path.base,line.base{stroke:var(--base)}path.noise{stroke:var(--noise)}
path.line.base{stroke-dasharray:6 4}path.faint{stroke:var(--lora);opacity:.35}
path.band.lora{fill:var(--lora);stroke:none}path.band.base{fill:var(--base)}
path.band.noise{fill:var(--noise);stroke:none;opacity:.3}path.band.raw{fill:var(--muted);opacity:.3}
circle.lora{fill:var(--lora);stroke:var(--lora)}circle.base{fill:var(--paper);stroke:var(--base);stroke-width:2}
.range{stroke-width:3;stroke-linecap:round;opacity:.55}
.keys{list-style:none;display:flex;flex-wrap:wrap;gap:.2rem 1.2rem;padding:0;margin:0 0 .8rem;font-size:.82rem}
.keys li{margin:0;display:flex;align-items:center;gap:.45rem}
.key{width:1.5rem;height:0;border-top:3px solid var(--lora)}
.key.base{border-top:3px dashed var(--base)}
.key.noise{height:.8rem;border:0;background:var(--noise);opacity:.4}
.key.raw{height:.8rem;border:0;background:var(--muted);opacity:.4}

details{margin:.8rem 0;border-top:1px solid var(--rule);padding-top:.5rem}
summary{cursor:pointer;font-size:.88rem;font-weight:600;color:var(--lora);padding:.15rem 0}
summary:focus-visible,a:focus-visible{outline:2px solid var(--lora);outline-offset:2px}
.facts{font-size:.88rem;margin:.8rem 0}
.facts div{display:grid;grid-template-columns:10rem minmax(0,1fr);gap:.8rem;padding:.28rem 0;
border-bottom:1px solid var(--rule)}
.facts dt{color:var(--muted)}.facts dd{margin:0}
.entry{border-left:3px solid var(--rule);padding:.1rem 0 .1rem 1rem;margin:1.2rem 0}
.entry h4{margin:0;font-family:var(--sans)}.entry p{font-family:var(--serif)}
.entry .about,.entry .plate p{font-family:var(--sans);font-size:.8rem;margin:.15rem 0;color:var(--muted)}
.struck>p:not(.about){text-decoration:line-through;color:var(--muted)}
footer{margin:3.5rem 0 2rem;color:var(--muted);font-size:.82rem}

@media (max-width:44rem){
body{font-size:1.03rem}
header{padding-top:1.3rem}
.standings li{grid-template-columns:minmax(0,1fr);gap:.35rem;padding:.75rem 0}
.scale .line{grid-column:1}
.sheet .row{grid-template-columns:1fr 1fr;gap:.7rem}
.plate{width:calc(33.3% - .6rem)}
.large .plate{width:100%;overflow-x:auto}.large .plate img{max-width:none}
.facts div{grid-template-columns:minmax(0,1fr);gap:0}
td,th{max-width:17rem;min-width:6.6rem}.number{min-width:0}
}
@media print{
@page{margin:16mm 15mm}
:root{--paper:#fff}
body{font-size:10.5pt;padding:0}
nav{display:none}
h2,h3,h4,.title{break-after:avoid}
figure,.pair,.plate,.one,.standings li,tr,.entry,pre,.warning,.refusal{break-inside:avoid}
.sheet,.charts,.standings,.plates{break-inside:auto}
.sheet .row,.plates .row,.charts .row{display:block}
.pair,.plate,.one{display:inline-block;vertical-align:top;margin:0 1.5% 3mm 0}
.pair{width:23%}.plate{width:15%}.one{width:47%}.alone .one,.large .plate{width:100%}
.standings li{grid-template-columns:minmax(0,14rem) minmax(6rem,1fr) 13.5rem;gap:.1rem 1rem}
td code{white-space:normal;overflow-wrap:anywhere}
.scroll{overflow:visible}table{font-size:8pt;width:100%}th,td{overflow-wrap:anywhere;max-width:none;min-width:0;
padding-right:.5rem}.number{white-space:normal}
details:not([open]){display:none}
*{-webkit-print-color-adjust:exact;print-color-adjust:exact}
}
"""
