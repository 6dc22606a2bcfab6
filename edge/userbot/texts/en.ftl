### What Timokha says in English. The syntax is Project Fluent's: https://projectfluent.org/fluent/guide/
###
### This catalogue is the measure of the others: a language has these lines, each with these variables.
### No text starts with `/`, `+`, `-` or the prefix: it would be a command, a decision about a draft, or a question.

## In a chat

thinking-1 = Thinking…
thinking-2 = Let me think…
thinking-3 = One moment, gathering my thoughts…
thinking-4 = Good question! Give me a second…
thinking-5 = Hmm, let me see…
thinking-6 = Writing an answer…
thinking-7 = Just a second…
thinking-8 = Pondering this…

help =
    What I can do:

    { $prefix } QUESTION — ask me something
    /set_context_length NUMBER — how many earlier messages an answer takes into account (0 to { $most })
    /delete_history — forget our conversation and cancel questions that wait for an answer
    /help — show this help
hint = Write your question right after my name, for example: “{ $prefix } how are you?”
deleted = Done: the history of our conversation is deleted.
deleted-and-cancelled = Done: the history of our conversation is deleted, and the question that was waiting for an answer is cancelled. You can ask again.
context-length-set =
    Done: an answer now takes { $length ->
        [one] { $length } earlier message
       *[other] up to { $length } earlier messages
    } into account.
context-length-zero = Done: every question is now answered on its own, without earlier messages.
context-length-refused = That did not work: send a whole number from 0 to { $most }, for example: /set_context_length 10. Nothing has changed.
unreadable = I can't read our conversation, so I don't answer here. Send /delete_history to start afresh.

# Why there is no answer.
failure = Sorry, I could not come up with an answer. Please ask again.
failure-deadline = Sorry, the answer was not ready in time. Please ask again.
failure-empty = Sorry, nothing sensible came to mind. Please ask again, perhaps in other words.
failure-rejected = Sorry, I can't answer that question. Please ask again in other words.
failure-too-large = Sorry, I can't take a question that long. Please ask again in fewer words.

# The same, by the owner's rules.
refused-person = Sorry, I don't answer everyone.
refused-quiet-hours = I don't answer at this hour. Please ask again later.
refused-day-limit = There are no more answers today. Please ask again tomorrow.

## Drafts, in the owner's chat

draft = Draft of an answer. { $asker } asks: “{ $question }”
draft-failed = Draft: the model gave no answer. { $asker } asks: “{ $question }”
draft-more = Draft, part { $number } of { $total }
draft-how = Reply to this message: + to send it, - to send nothing, any other text to send that instead.
draft-sent = Sending it. { $asker } gets the answer.
draft-replaced = Sending your text. { $asker } gets it.
draft-rejected = Not sending it. { $asker } gets no answer.
draft-over = Already decided: this draft no longer waits.
draft-unclear = That is no decision. Reply to the draft: + to send it, - to send nothing, any other text without a leading / to send that instead.
draft-send-label = Send
draft-drop-label = Don't send

## Answers to the owner's commands

-order-list =
    Commands for you:

    /status — pauses, quiet hours, what is in work
    /pause [CHAT|all] [TIME] — don't answer: in one chat or anywhere; without a time, until /resume
    /resume [CHAT|all] — answer again
    /queue — questions in work, and drafts
    /cancel [CHAT|all] — cancel questions that wait for an answer
    /limits — the limits, and how much of them is used
    /allow [WHO…], /deny [WHO…] — who is answered and who is not; without a name, show the lists
    /help — show this help
-order-arguments =
    CHAT: a number or @name. TIME: 10m, 2h, 1d, or just minutes. WHO: a number, @name, contacts, wrote_first.
    Reply to a draft with “+” (send it), “-” (don't send it) or a text of your own.

order-help =
    { -order-list }

    { -order-arguments }
# The help of those who have connected a bot.
order-help-to-leave =
    { -order-list }
    /disconnect — stop answering, and erase all that I store about your chats

    { -order-arguments }
order-unknown = There is no such command. See /help
order-misused = I can't read this command. Write it like this: { $usage }
order-too-many = Too many commands at once: I skip this one. Wait for the answers, then repeat it.
order-failed = I could not carry out this command. See the log, then repeat it.
order-no-such-chat = I can't find { $chat } in Telegram. Check the name, or give the chat's number, which /queue shows.
order-unreadable-chat = I can't read the record of chat { $chat }. /delete_history, sent in that chat, starts it afresh.
order-not-now = Telegram does not let me look up { $chat }. Repeat the command later, or give the chat's number.
order-unreadable-policy = I can't read the record of pauses and lists, so I answer no one. /resume starts it afresh, with empty lists.
order-paused = Paused: I answer no one { $until }.
order-paused-chat = Paused: I don't answer in chat { $chat } { $until }.
order-resumed = Done: the pause for everyone is over. /status shows the pauses of single chats.
order-resumed-chat = Done: the pause in chat { $chat } is over.
order-resumed-chat-still-paused = Done: the pause in chat { $chat } is over. But all chats are paused; end that with /resume
order-cancelled = Done: the questions asked before this command are cancelled.
order-cancelled-chat = Done: the questions asked in chat { $chat } before this command are cancelled.
order-allowed = Done: I answer { $people }.
order-denied = Done: I don't answer { $people }.
order-full =
    The list is full: it has { $most ->
        [one] { $most } entry
       *[other] { $most } entries
    }. Move lasting ones to the settings USERBOT_ALLOW and USERBOT_DENY.
order-disconnected = Done: I don't answer in your chats any more, and erase the conversations, questions, lists and pauses. Now remove me from your account: { -settings }.
order-connected-again = You connected me again after you had sent this command, so I go on answering, and erase nothing. If I am to stop, send it once more.
order-until = until { $moment }
order-until-resumed = until you send /resume

## What /status, /queue, /limits and the lists of people show

status-running = I answer.
status-paused = Paused: I answer no one { $until }.
status-paused-for-flood = Telegram took the account for a spammer: I answer no one { $until }. End the pause with /resume
status-paused-as-unreadable = I can't read the record of pauses and lists, so I answer no one. /resume starts it afresh
status-quiet = Quiet hours: { $hours } ({ $zone }).
status-quiet-now = Quiet hours: { $hours } ({ $zone }), now.
status-in-work =
    Being answered: { $asking ->
        [one] { $asking } question
       *[other] { $asking } questions
    }. Waiting: { $waiting ->
        [one] { $waiting } question
       *[other] { $waiting } questions
    }. For you to approve: { $drafts ->
        [one] { $drafts } draft
       *[other] { $drafts } drafts
    }.
status-answers-today =
    Today: { $count ->
        [one] { $count } answer
       *[other] { $count } answers
    }.
status-paused-chats =
    Paused: { $count ->
        [one] { $count } chat
       *[other] { $count } chats
    }
status-paused-chat = { $who } { $until }
status-more-chats =
    … and { $count ->
        [one] { $count } more chat
       *[other] { $count } more chats
    }

queue-empty = There are no questions in work.
queue-questions =
    In work: { $count ->
        [one] { $count } question
       *[other] { $count } questions
    }
queue-question = { $who }: “{ $text }”, { $state }
queue-more =
    … and { $count ->
        [one] { $count } more question
       *[other] { $count } more questions
    }
queue-asking = being answered
queue-delivering = being sent
queue-awaiting-approval = for you to approve
queue-waiting = waiting
# A person without a name.
queue-unnamed = chat { $chat }

limits = Limits:
limits-per-minute =
    in a chat and minute: { $limit ->
        [0] no limit
        [one] { $limit } answer at most
       *[other] { $limit } answers at most
    }
limits-per-hour =
    in a chat and hour, without the prefix: { $limit ->
        [0] no limit
        [one] { $limit } answer at most
       *[other] { $limit } answers at most
    }
limits-per-day =
    in a chat and day: { $limit ->
        [0] no limit
        [one] { $limit } answer at most
       *[other] { $limit } answers at most
    }
limits-per-day-for-all =
    a day in all chats: { $limit ->
        [one] { $limit } answer at most
       *[other] { $limit } answers at most
    }, { $used ->
        [one] { $used } answer so far today
       *[other] { $used } answers so far today
    }
limits-none-per-day-for-all = a day in all chats: no limit
limits-quiet-hours = quiet hours: { $hours } ({ $zone })
limits-no-quiet-hours = quiet hours: none

people-answered = I answer:
people-not-answered = I don't answer:
people-by-settings = by the settings: { $people }
people-by-commands = by commands: { $people }
people-everyone-else = everyone else
people-none = none
people-more =
    … and { $count ->
        [one] { $count } more entry
       *[other] { $count } more entries
    }

## For the owner, from Telegram

flooded = Telegram takes this account for a spammer (PEER_FLOOD), so I answer nobody until { $until }. To go on earlier, send /resume.

## To those who have connected a bot, in their chat with it

-settings = Settings → Telegram Business → Chatbots (in newer apps: Edit profile → Chat Automation)

business-connect = To have me answer in your chats, connect me, and allow me to reply to messages: { -settings }.
business-connect-again = You have disconnected me by /disconnect. To have me answer again, remove me from your account and add me anew: { -settings }.
business-ended = I am not connected to your account any more, so an answer was not sent. To have me answer again, connect me: { -settings }.
business-no-right = You have not allowed me to answer in your name, so questions to you get no answer. To allow it: { -settings }, “Reply to Messages”.
business-no-right-to-delete = I could not delete a message of mine in one of your chats, because you have not allowed that. To allow it: { -settings }, “Delete Sent Messages”.
business-outside = I could not answer in one of your chats: it is not among those that you chose for me, or I am off there. To change that: { -settings }.
business-too-late = I could not answer in one of your chats: Telegram takes no message of mine if the other person has not written for 24 hours. Answer yourself, or I will once they write again.
business-unknown-person = I could not answer in one of your chats: Telegram does not let me write to that person yet. Answer yourself, or I will once they write again.
business-blocked = I could not answer in one of your chats: you or the other person blocked the other. To go on with that chat, the block has to be lifted.
business-not-for-business = Telegram does not let me answer in your name: my Business Mode seems to be off. My owner turns it on with @BotFather; then connect me again: { -settings }.
