"""Words that say nothing of what a text is about: articles, pronouns, auxiliaries, question words, greetings.

For the languages most often written; what else is as common in a language is told from the traffic itself
(`topics.COMMON`). Short ones (two letters) are left out of most lists: they stand in nearly every text.
"""

from __future__ import annotations

_BY_LANGUAGE = {
    "en": """
        a about after again all also always am an and another any anybody anyone anything are aren around as
        ask at back be because been before being best both but by call came can cannot can't come could couldn
        dear did didn do does doesn doing don done dont down each either else even ever every everything few
        find first for from get gets getting give go goes going gonna good got had hadn has hasn have haven
        having he hello help her here hey hi him his how however i if im in instead into is isn it its ive
        just keep keeps know last least less let like ll long look lot made make makes many may maybe me mean
        might mine more most much must my myself need needs never new next no nobody none nor not nothing now
        of off often ok okay old on once one ones only or other others our out over own part people per please
        possible problem put quite rather re really regards right said same say says see seem seems seen
        several shall she should shouldn show shows simply since so some somebody someone something sometimes
        soon still such sure take taken takes taking team tell than thank thanks that thats the their them
        then there these they thing things think this those though through till to today told too took tried
        try trying twice two under unless until up upon us use used using ve very via want wanted wants was
        wasn way we well went were weren what whats when where whether which while who whole whose why will
        wish with within without won work working works would wouldn yes yet you your yours afternoon evening
        morning greetings kind sincerely cheers day days week weeks month months year years hour hours minute
        minutes time times ago already happen happened happens currently actually anymore wrong correct issue
        issues question able
    """,
    "de": """
        aber alle allem allen aller alles als also am an auch auf aus bei beim bereits bin bis bitte da dabei
        dafür damit danach danke dann dar das dass daß dazu dein deine dem den denn der des deshalb die dies
        diese diesem diesen dieser dieses doch dort du durch ein eine einem einen einer eines einfach einmal
        er erst es etwa etwas euch euer eure für ganz gar geht gemacht gerade gern gerne gestern gibt gute
        guten habe haben hallo hat hatte hätte heute hier hilfe ich ihm ihn ihnen ihr ihre ihrem ihren ihrer
        im immer in ins ist ja jede jeden jeder jedes jemand jetzt hab steht drei kann kannst kein keine
        keinen können könnte könnten lassen leider machen macht man mal mehr mein meine meinem meinen meiner
        meines mich mir mit morgen muss müssen nach nachdem nicht nichts nie noch nun nur ob obwohl oder ohne
        schon sehr sein seine seit sich sie sind so sobald sodass soll sollen sollte sonst statt tag trotzdem
        über um und uns unser unsere unserem unseren unserer unter viel viele vielen vom von vor wann war wäre
        waren warum was wegen weil welche welchen welcher wenn wer werde werden wie wieder will wir wird
        wirklich wo woche wochen wollte wollen worden wurde wurden würde würden zu zum zur zwar zwei zwischen
        grüße grüßen freundliche freundlichen
    """,
    "fr": """
        ai ainsi alors après au aucun aucune aussi autre autres aux avait avant avec avez avoir avons bien
        bonjour bonsoir car ce cela celle celui ces cet cette chez comme comment cordialement cours dans de
        déjà depuis des deux dire dois doit donc dont du elle elles en encore entre est et étais était été
        être eu fait faire fois font fut hier ici il ils jamais je jour jours juste la là le les leur leurs
        lors lui ma mais mal me même merci mes moi mois moins mon ne ni nos notre nous on ont ou où par parce
        pas pendant peu peut peux plus plusieurs pour pourquoi pourtant pouvez pouvons pu puis puisque quand
        que quel quelle quelque quelques quelqu qui quoi rien sa sans se semaine ses si sont sous suis sur ta
        tous tout toute toutes très trois quatre cinq ça trop tu un une va vers veux voici voilà vos votre
        voudrais vous aujourd hui jusqu lorsque qu
    """,
    "es": """
        ahora al algo alguien algún alguna algunos ante antes año aquí así aun aún aunque bien buenas buenos
        cada casi como cómo con cual cuál cuando cuándo da de debe decir del desde después día días donde
        dónde dos durante el él ella ellos en entre era eran es esa ese eso esta está estaba estaban estado
        estamos están estar estas este esto estos estoy favor fue fueron gracias ha había hace hacer haber
        hacia han has hasta hay haya he hemos hola hoy incluso ir la las le les lo los luego más me mes mi mis
        mismo mucho muy nada ni ningún ninguna no nos nosotros nuestra nuestras nuestro nuestros nunca os otra
        otras otro otros para pero poco podéis podemos poder podría por porque puede pueden puedo pues que qué
        quiere quiero quién quien saber sale se sea según ser si sí sido siempre sigue sin sino sobre solo
        sólo son soy su sus sé tal también tampoco tan tanto te tenemos tener tengo tiene tienen toda todas
        todavía todo todos tras tres tu un una unas uno unos usted va vamos veces vez vosotros vuestra vuestro
        voy ya yo ayer semana saludos
    """,
    "it": """
        ad agli ai al alla alle allo anche ancora avere aveva avete buongiorno buonasera che chi ci come con
        cosa così cui da dagli dai dal dalla dalle degli dei del della delle dello di dopo dove due è ed era
        essere fa fare fino fra già gli grazie ha hai hanno ho il in io la le lei li lo loro lui ma mai me mi
        mia mie miei mio molto ne nei nel nella nelle nessun nessuna niente noi non nostra nostro ogni oggi
        ora perché però per più poi posso prima può qual quale qualche quando quanto quella quelle quelli
        quello questa queste questi questo qui quindi salve se sempre senza sei si sia siamo solo sono sta
        stata stato stesso su sua sue sugli sui sul sulla suo suoi tra troppo tu tutta tutte tutti tutto un
        una uno va vi voi vorrei vostra vostro
    """,
    "pt": """
        agora ainda além algum alguma ano antes ao aos apenas após aqui as assim até boa bom cada com como da
        das de dele depois desde deve dia dias do dois dos durante e ela elas ele eles em entre era essa esse
        esta está estão estar este estou eu fazer foi foram há hoje isso isto já lá lhe mais mas me mesmo meu
        meus minha minhas muito na nada não nas nem nenhum nenhuma no nós nos nossa nosso nunca num numa o
        obrigada obrigado olá onde ontem os ou outra outro para pela pelo per pode podem por porque posso pois
        qual quando quanto que quem quero se seja sem sempre ser seu seus só sob sobre sou sua suas também tem
        têm tenho ter teu toda todas todo todos tudo um uma umas uns você vocês vou
    """,
    "nl": """
        aan al alle alleen als alles altijd andere ben bij bijna daar dan dank dat de deze die dit doen door
        dus echt een eens en er geen geef goed goede graag had heb hebben heeft heel hem het hier hij hoe hun
        iets ik in is ja jaar je jij jou jouw jullie kan kon kunnen kunt langer maar mag me mee meer meest men
        met mij mijn mogen moet na naar niet niets nog nooit nu of om omdat ons onze ook op over per reeds
        sinds te tegen toch toen tot uit uw van vandaag veel vanaf voor waar waarom wanneer want waren was wat
        we weer wel welke werd wie wij wil worden wordt zal ze zeer zelf zich zien zij zijn zo zoals zonder
        zou zullen
    """,
}

LANGUAGES = tuple(_BY_LANGUAGE)
WORDS = frozenset(word for words in _BY_LANGUAGE.values() for word in words.split())
