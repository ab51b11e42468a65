from unit.analysis.streams import cassette, entries
from wiretape.analysis.threads import Place, by_the_model, places
from wiretape.analysis.transcript import transcripts

A, B = {"role": "user", "content": "A"}, {"role": "user", "content": "B"}
REPLY = {"role": "assistant", "content": "R"}
RESULT = {"role": "tool", "content": "x"}


def placed(*conversations: list):
    groups = [
        entries([], asked={"messages": messages}, number=number, began_us=number * 100_000)
        for number, messages in enumerate(conversations, 1)
    ]
    return list(places(transcripts(cassette(*groups))).values())


def test_a_conversation_goes_on_where_its_messages_come_again():
    assert placed([A], [A, REPLY, RESULT]) == [Place(None, 0, 0), Place(1, 1, 1)]


def test_the_longest_shared_beginning_counts():
    assert placed([A], [A, REPLY, B], [A, REPLY, B, REPLY, RESULT])[2] == Place(2, 3, 1)


def test_a_question_asked_again_shares_all_of_it():
    assert placed([A], [A], [A]) == [Place(None, 0, 0), Place(1, 1, 0), Place(2, 1, 0)]


def test_other_conversations_and_no_messages_share_nothing():
    assert placed([A], [B, A], [], []) == [Place(None, 0, 0)] * 4


def test_key_order_does_not_make_another_message():
    assert placed([A], [dict(reversed(A.items())), REPLY])[1] == Place(1, 1, 1)


def test_what_the_model_said_is_told_in_every_dialect():
    assert by_the_model(REPLY)
    assert by_the_model({"type": "function_call", "name": "f"})
    assert not by_the_model(RESULT)
    assert not by_the_model("odd")
    assert not by_the_model({"type": ["odd"]})
